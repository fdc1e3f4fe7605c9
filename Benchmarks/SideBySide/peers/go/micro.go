// The micro works in Go: `go_micro WORK N [PORT]`, with GOMAXPROCS 1, and 2 where threads meet.
//
//   - A callback for later is a goroutine, and so is what a timer of time.AfterFunc runs.
//   - A post is a send on a channel: without a buffer between two locked threads for the round trips, and of 1024 for
//     the bursts. Go has no channel without a limit, so its producers may have to wait.
//   - Go chooses the threads of the producers of a burst; they are not kept on a core.
package main

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

const (
	statusNotOffered = 2
	statusUsage      = 64
	loopCore         = 0
	otherCore        = 1
	batchSize        = 1000
	live             = 10_000
	setsPerTurn      = 1000
)

// --- measuring

type stopwatch struct {
	wall time.Time
	cpu  int64
}

func processCPU() int64 {
	const clockProcessCPU = 2
	var now syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockProcessCPU, uintptr(unsafe.Pointer(&now)), 0)
	return now.Nano()
}

func start() stopwatch { return stopwatch{time.Now(), processCPU()} }

func (s stopwatch) report(operations int) {
	wall, cpu := time.Since(s.wall).Nanoseconds(), processCPU()-s.cpu
	fmt.Printf("{\"ops\":%d,\"wall_ns\":%d,\"cpu_ns\":%d}\n", operations, wall, cpu)
}

func measureAfter(warmUp, count int, work func(count int)) {
	work(warmUp)
	s := start()
	work(count)
	s.report(count)
}

func measure(count int, work func(count int)) { measureAfter(max(1, count/10), count, work) }

// Xorshift: the same numbers in every run and in every language.
var state uint64 = 88172645463325252

func randomBelow(limit uint64) uint64 {
	state ^= state << 13
	state ^= state >> 7
	state ^= state << 17
	return state % limit
}

func max(a, b int) int {
	if a > b {
		return a
	}
	return b
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// Keeps the goroutine on a thread and the thread on a core.
func pinTo(core int) {
	runtime.LockOSThread()
	mask := [16]uint64{1 << core}
	syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, 0, unsafe.Sizeof(mask), uintptr(unsafe.Pointer(&mask)))
}

// --- dispatch

var (
	left, calls int
	done        = make(chan struct{})
)

func countDown() {
	if left--; left == 0 {
		done <- struct{}{}
	}
}

func link() {
	if left--; left > 0 {
		go link()
	} else {
		done <- struct{}{}
	}
}

func chain(count int) {
	left = count
	go link()
	<-done
}

func call() { calls++ }

func batch(count int) {
	calls = 0
	for turn := 1; turn <= count/batchSize; turn++ {
		for i := 0; i < batchSize; i++ {
			go call()
		}
		for calls < turn*batchSize {
			runtime.Gosched()
		}
	}
}

// --- tasks

func spawn(count int) {
	results := make(chan int)
	for i := 0; i < count; i++ {
		go func() { results <- 1 }()
		calls += <-results
	}
}

func yield(count int) {
	for i := 0; i < count; i++ {
		runtime.Gosched()
	}
}

// --- wakes

func pingpong(count, core int) {
	pinTo(loopCore)
	bell, _, errno := syscall.Syscall(syscall.SYS_EVENTFD2, 0, 0, 0)
	if errno != 0 {
		panic(errno)
	}
	posts := make(chan int)
	go func() {
		pinTo(core)
		value := make([]byte, 8)
		for i := 0; i < count; i++ {
			posts <- i
			_, err := syscall.Read(int(bell), value)
			must(err)
		}
		close(posts)
	}()
	one := []byte{1, 0, 0, 0, 0, 0, 0, 0}
	for range posts {
		_, err := syscall.Write(int(bell), one)
		must(err)
	}
	must(syscall.Close(int(bell)))
}

func burst(count, producers int) {
	posts := make(chan int, 1024)
	share := count / producers
	for p := 0; p < producers; p++ {
		go func() {
			for i := 0; i < share; i++ {
				posts <- i
			}
		}()
	}
	for i := 0; i < share*producers; i++ {
		<-posts
	}
}

// --- timers

func timerCancel(count int) {
	timers := make([]*time.Timer, count)
	for i := range timers {
		timers[i] = time.AfterFunc(time.Duration(1000+randomBelow(3_599_000))*time.Millisecond, call)
	}
	for _, timer := range timers {
		timer.Stop()
	}
	runtime.Gosched()
}

func timerFire(count int) {
	left = count
	for i := 0; i < count; i++ {
		time.AfterFunc(time.Duration(randomBelow(1_000_000_000)), countDown)
	}
	<-done
}

func timerRearm(count int) {
	timers := make([]*time.Timer, live)
	for i := range timers {
		timers[i] = time.AfterFunc(30*time.Second, call)
	}
	measure(count, func(count int) {
		for i := 0; i < count; i += setsPerTurn {
			for k := 0; k < setsPerTurn; k++ {
				timers[randomBelow(live)].Reset(30 * time.Second)
			}
			runtime.Gosched()
		}
	})
}

// --- processes, names, datagrams

func process(count int) {
	for i := 0; i < count; i++ {
		command := exec.Command("/bin/true")
		command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
		must(command.Run())
	}
}

func literal(count int) {
	for i := 0; i < count; i++ {
		_, err := net.ResolveTCPAddr("tcp", "127.0.0.1:80")
		must(err)
	}
}

func udp(count, port int) {
	address := net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(port)))
	socket, err := net.ListenUDP("udp4", address)
	must(err)
	fmt.Println("ready")
	bytes := make([]byte, 2048)
	warmUp := count / 10
	var s stopwatch
	for i := 0; i < warmUp+count; i++ {
		size, sender, err := socket.ReadFromUDPAddrPort(bytes)
		must(err)
		if i == warmUp {
			s = start()
		}
		_, err = socket.WriteToUDPAddrPort(bytes[:size], sender)
		must(err)
	}
	s.report(count)
}

func main() {
	count := 0
	if len(os.Args) >= 3 {
		count, _ = strconv.Atoi(os.Args[2])
	}
	if count <= 0 {
		fmt.Fprintln(os.Stderr, "usage: go_micro WORK N [PORT]")
		os.Exit(statusUsage)
	}
	work := os.Args[1]
	runtime.GOMAXPROCS(1)
	if strings.HasPrefix(work, "pingpong") || strings.HasPrefix(work, "burst") {
		runtime.GOMAXPROCS(2)
	}
	switch work {
	case "chain":
		measure(count, chain)
	case "batch":
		measure(count, batch)
	case "spawn", "continuation":
		// A goroutine has no value but what it sends.
		measure(count, spawn)
	case "yield":
		measure(count, yield)
	case "pingpong":
		measure(count, func(count int) { pingpong(count, otherCore) })
	case "pingpong_same":
		measure(count, func(count int) { pingpong(count, loopCore) })
	case "burst1":
		measure(count, func(count int) { burst(count, 1) })
	case "burst4":
		measure(count, func(count int) { burst(count, 4) })
	case "timer_cancel":
		measureAfter(count, count, timerCancel)
	case "timer_fire":
		measureAfter(count, count, timerFire)
	case "timer_rearm":
		timerRearm(count)
	case "process":
		measureAfter(20, count, process)
	case "literal":
		measure(count, literal)
	case "udp", "udp_same":
		port, err := strconv.Atoi(os.Args[3])
		must(err)
		udp(count, port)
	default:
		os.Exit(statusNotOffered)
	}
}
