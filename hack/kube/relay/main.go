// Listens on addresses in the network of another process, and hands each connection on to an address in its own.
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

func main() {
	if len(os.Args) < 4 {
		log.Fatal("usage: relay PID TARGET ADDRESS...")
	}
	target := os.Args[2]
	listeners, err := listen(os.Args[1], os.Args[3:])
	if err != nil {
		log.Fatal(err)
	}
	var all sync.WaitGroup
	for _, l := range listeners {
		all.Go(func() { serve(l, target) })
	}
	all.Wait()
}

// listen makes sockets that belong to the network of this process, from a thread that nobody else will use again.
func listen(pid string, addresses []string) (listeners []net.Listener, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with this function
		var network *os.File
		if network, err = os.Open(fmt.Sprintf("/proc/%s/ns/net", pid)); err != nil {
			return
		}
		defer network.Close()
		if err = unix.Setns(int(network.Fd()), unix.CLONE_NEWNET); err != nil {
			return
		}
		for _, address := range addresses {
			var l net.Listener
			if l, err = net.Listen("tcp4", address); err != nil {
				return
			}
			listeners = append(listeners, l)
		}
	}()
	<-done
	return listeners, err
}

func serve(l net.Listener, target string) {
	for {
		near, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			far, err := net.Dial("tcp4", target)
			if err != nil {
				log.Print(err)
				near.Close()
				return
			}
			go pass(near, far)
			pass(far, near)
		}()
	}
}

// pass copies until one side ends or fails; both are closed then, since nobody here half-closes.
func pass(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	io.Copy(to, from)
}
