"""What must be survived, made to happen: killed, frozen and restarted servers, cut connections, storms of cancels."""
