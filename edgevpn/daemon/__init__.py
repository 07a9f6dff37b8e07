"""Where the protocol core, the kernel and the configuration meet."""
