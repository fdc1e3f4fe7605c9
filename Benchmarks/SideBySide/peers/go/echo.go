// Go's echo server, and nothing else.
package main

import "./serving"

func main() { serving.Serve() }
