"""The race: stretto and its peers under the loads of the seeds, each in a process of its own, watched while it runs.

`contenders` has what each library's user would write, `workloads` what all of them do; `worker` is the process of one
contender, `course` the parent that starts them in turn and watches the server, `live` the terminal, `page` the web page
and `report` what is left at the end.
"""
