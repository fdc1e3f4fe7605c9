// Package serving is Go's echo server: a goroutine with a buffer of 64 KiB for each connection, on one thread at a
// time.
//
// The net package sets TCP_NODELAY by itself.
package serving

import (
	"log"
	"net"
	"os"
	"runtime"
)

func echo(connection net.Conn) {
	defer connection.Close()
	buffer := make([]byte, 65536)
	for {
		length, err := connection.Read(buffer)
		if err != nil {
			return
		}
		if _, err = connection.Write(buffer[:length]); err != nil {
			return
		}
	}
}

// Listen listens on the port of the last argument, on 127.0.0.1, and leaves one thread to the program.
func Listen() net.Listener {
	runtime.GOMAXPROCS(1)
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[len(os.Args)-1])
	if err != nil {
		log.Fatal(err)
	}
	return listener
}

// On serves what comes to a listener, forever. What already runs goes on beside it, on the same thread.
func On(listener net.Listener) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go echo(connection)
	}
}

// Serve serves the port of the last argument, forever.
func Serve() { On(Listen()) }
