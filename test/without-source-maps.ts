// Loaded into each test process before its test. tap reads the source map of each
// package that has one, a quarter of a second a process; nothing here needs them:
// stripping the types moves no line.
process.setSourceMapsEnabled(false)
