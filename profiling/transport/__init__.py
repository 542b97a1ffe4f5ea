"""What a message costs on its way: our links beside plain pyzmq, Zenoh and dora-rs, in turns on one machine."""
