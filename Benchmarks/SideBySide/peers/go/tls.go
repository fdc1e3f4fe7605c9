// Go's echo server over TLS, by its own crypto/tls: `tls CHAIN KEY PORT`.
package main

import (
	"crypto/tls"
	"log"
	"os"

	"./serving"
)

func main() {
	if len(os.Args) != 4 {
		log.Fatal("arguments: CHAIN KEY PORT")
	}
	certificate, err := tls.LoadX509KeyPair(os.Args[1], os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	serving.On(tls.NewListener(serving.Listen(), &tls.Config{Certificates: []tls.Certificate{certificate}}))
}
