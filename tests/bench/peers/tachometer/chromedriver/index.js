// Nothing: `chromedriver` is on the PATH already.
