// Loaded before Azurite: ends it when whoever started it is gone, which closes the pipe on its standard input.
process.stdin.on("end", () => process.exit(1)).resume();
// Watching alone is no reason to stay: Azurite ends by itself once it is told to.
process.stdin.unref();
