"use strict";
const $ = (id) => document.getElementById(id);
const here = (path) => new URL(path, location.href.replace(/\/?([?#].*)?$/, "/")).href;
const ENDED = ["done", "failed", "missing"];

const number = (value) => Math.round(value).toLocaleString("en");
const short = (value) => (value >= 100 ? number(value) : `${Number(value.toPrecision(3))}`);
const title = (who) => [who.library, who.place, who.way].filter(Boolean).join(", ");

function value(who) {
  if (who.state === "done" || who.state === "running") return number(who.rate);
  return { missing: "not installed", failed: "failed", starting: "…" }[who.state] ?? "";
}

function figure(span, who, name) {
  const found = (who.figures ?? who.so_far)[name];
  const none = found === undefined && (who.state === "done" || who.state === "running");
  span.textContent = none ? "–" : found === undefined ? "" : short(found); // of fewer than 100 waits there is no p99
  span.classList.toggle("none", none);
}

function bars(standings) {
  const best = Math.max(1, ...standings.filter((who) => who.state === "done").map((who) => who.rate));
  const list = $("bars");
  while (list.children.length > standings.length) list.lastChild.remove();
  standings.forEach((who, place) => {
    let item = list.children[place];
    if (!item) {
      item = list.appendChild(document.createElement("li"));
      item.innerHTML = '<span class="name"></span><span class="track"><span class="bar"></span></span><span class="value"></span>' +
        '<span class="figure p99"></span><span class="figure cpu"></span>';
    }
    item.className = `${who.ours ? "ours" : "peer"} ${who.state}`;
    item.title = who.reason;
    item.children[0].textContent = title(who);
    item.children[1].firstChild.style.width = `${100 * (who.state === "done" ? who.rate / best : who.part)}%`;
    item.children[2].textContent = value(who);
    figure(item.children[3], who, "p99_ms");
    figure(item.children[4], who, "client_us");
  });
}

function curve(steps, since, seconds) {
  const most = Math.max(1, ...steps.map((step) => step[1]));
  let path = "M0 100", level = 0;
  for (const [at, open] of steps) {
    level = open;
    path += `H${Math.max(0, at - since)}V${100 - (100 * open) / most}`;
  }
  const width = Math.max(seconds - since, 0.1);
  path += `H${width}`;
  $("curve").className = "curve";
  $("curve").innerHTML = `<span class="level" style="top:0">${most}</span><span class="level" style="top:9rem">0</span>` +
    `<svg viewBox="0 0 ${width} 100" preserveAspectRatio="none"><path class="area" d="${path}V100H0Z"/><path class="line" d="${path}"/></svg>`;
  $("curve-head").textContent = `Connections open: ${level}`;
}

function show(state) {
  $("start").querySelector("button").disabled = state.running;
  $("now").hidden = !state.result;
  $("done").hidden = !state.report;
  if (state.error) alert_(state.error);
  if (!state.result) return;
  const heats = state.result.heats;
  const heat = heats.find((each) => !each.standings.every((who) => ENDED.includes(who.state))) ?? heats.at(-1);
  $("title").textContent = `${heat.title}: ${heat.unit} a second`;
  $("about").textContent = `${heat.about}.`;
  bars(heat.standings);
  const beware = state.result.machine.beware;
  $("conditions").textContent = `${state.result.conditions}.${beware ? ` Beware: ${beware}.` : ""}`;
  const begun = Math.min(...heat.standings.map((who) => who.begun ?? Infinity));
  curve(state.result.connections, Number.isFinite(begun) ? begun : 0, state.result.seconds);
}

function alert_(text) {
  $("alert").textContent = text;
  $("alert").hidden = !text;
}

async function look() {
  try {
    const state = await (await fetch(here("state"))).json();
    show(state);
    setTimeout(look, state.running ? 300 : 1500);
  } catch {
    alert_("The server does not answer.");
    setTimeout(look, 3000);
  }
}

$("start").addEventListener("submit", async (event) => {
  event.preventDefault();
  alert_("");
  const answer = await fetch(here("start"), {
    method: "POST", headers: { Accept: "application/json" }, body: new URLSearchParams(new FormData($("start"))),
  });
  if (!answer.ok) alert_((await answer.json()).error);
});
look();
