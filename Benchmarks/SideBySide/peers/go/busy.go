// Go's echo server with another goroutine on the same thread: `go_busy SHAPE PORT`.
//
// hog computes for 20 microseconds and gives way, forever; slow computes for 2 milliseconds at each tick of 50.
package main

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"./serving"
)

func threadTime() int64 {
	const clockThreadCPU = 3
	var now syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockThreadCPU, uintptr(unsafe.Pointer(&now)), 0)
	return now.Nano()
}

// Computes for so long in the thread's own time. A goroutine may be moved to another thread at any moment, so it is
// tied to its thread meanwhile: the clock is that thread's.
func compute(duration time.Duration) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	end := threadTime() + duration.Nanoseconds()
	for threadTime() < end {
	}
}

func hog() {
	for {
		compute(20 * time.Microsecond)
		runtime.Gosched()
	}
}

func slow() {
	ticks := time.NewTicker(50 * time.Millisecond)
	for {
		compute(2 * time.Millisecond)
		<-ticks.C
	}
}

func main() {
	shapes := map[string]func(){"hog": hog, "slow": slow}
	if len(os.Args) != 3 || shapes[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: go_busy hog|slow PORT")
		os.Exit(2)
	}
	runtime.GOMAXPROCS(1)
	go shapes[os.Args[1]]()
	serving.Serve()
}
