// Go's net/http on one core: `go_http BYTES [CHAIN KEY] PORT`, over TLS with HTTP/2 if it gets a certificate.
package main

import (
	"bytes"
	"log"
	"net/http"
	"os"
	"runtime"
	"strconv"
)

func main() {
	words := os.Args[1:]
	if len(words) != 2 && len(words) != 4 {
		log.Fatal("arguments: BYTES [CHAIN KEY] PORT")
	}
	runtime.GOMAXPROCS(1)
	count, err := strconv.Atoi(words[0])
	if err != nil {
		log.Fatal(err)
	}
	body := bytes.Repeat([]byte("x"), count)
	length := strconv.Itoa(count)
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Content-Length", length)
		w.Write(body)
	})
	address := "127.0.0.1:" + words[len(words)-1]
	if len(words) == 4 {
		log.Fatal(http.ListenAndServeTLS(address, words[1], words[2], nil))
	}
	log.Fatal(http.ListenAndServe(address, nil))
}
