// Command adaptation is a container runtime as far as NRI goes: containerd's own runtime side, and nothing below it. It does
// what its standard input says, a command a line, and answers each with a line. It must not know what a right answer is: the
// test that drives it does.
//
// One source serves every version of NRI: what differs between them is called by name.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"sync/atomic"
	"time"

	"github.com/containerd/nri/pkg/adaptation"
	"github.com/containerd/nri/pkg/api"
	"github.com/sirupsen/logrus"
	"google.golang.org/protobuf/proto"
)

// A command. Each uses what it needs of it.
type command struct {
	Do        string
	Socket    string
	Name      string
	Version   string
	RequestMs int
	Pods      int
	Padding   int
	Method    string
	ID        string
	Full      bool
	Message   string
	Bytes     string
	Expect    string
	Failing   bool
	Rounds    int
	// The pod's.
	Annotations map[string]string
}

type reply map[string]any

// What the runtime is, between commands.
type state struct {
	runtime      *adaptation.Adaptation
	pods         int
	padding      int
	synchronized chan reply
	asked        chan []*api.ContainerUpdate
	failing      bool
	isStarted    atomic.Bool
}

func main() {
	logrus.SetOutput(os.Stderr)
	logrus.SetLevel(logrus.WarnLevel)
	s := &state{synchronized: make(chan reply, 64), asked: make(chan []*api.ContainerUpdate, 64)}
	commands := bufio.NewReader(os.Stdin)
	answers := json.NewEncoder(os.Stdout)
	for {
		line, err := commands.ReadBytes('\n')
		if err != nil {
			return
		}
		var c command
		answer := reply{}
		if err := json.Unmarshal(line, &c); err != nil {
			answer = reply{"broken": err.Error()}
		} else {
			answer = s.do(c)
		}
		if answers.Encode(answer) != nil {
			return
		}
	}
}

func (s *state) do(c command) reply {
	switch c.Do {
	case "heeded":
		return heeded()
	case "describe":
		return describe()
	case "fill":
		return reply{"bytes": encode(filled(c.Message))}
	case "compare":
		return compare(c.Message, c.Expect, c.Bytes)
	case "start":
		return s.start(c)
	case "synchronized":
		return s.wait()
	case "call":
		return s.call(c)
	case "time":
		return s.time(c)
	case "asked":
		return s.asks()
	}
	return reply{"broken": "no command " + c.Do}
}

func (s *state) start(c command) reply {
	s.pods, s.padding, s.failing = c.Pods, c.Padding, c.Failing
	adaptation.SetPluginRequestTimeout(time.Duration(c.RequestMs) * time.Millisecond)
	runtime, err := adaptation.New(c.Name, c.Version, s.synchronize, s.update,
		adaptation.WithSocketPath(c.Socket),
		adaptation.WithPluginPath("/nonexistent"),
		adaptation.WithPluginConfigPath("/nonexistent"))
	if err != nil {
		return reply{"error": err.Error()}
	}
	s.runtime = runtime
	s.isStarted.Store(false)
	err = runtime.Start()
	s.isStarted.Store(true)
	return outcome(err)
}

func (s *state) synchronize(ctx context.Context, tell adaptation.SyncCB) error {
	var pods []*api.PodSandbox
	var containers []*api.Container
	padding := map[string]string{"padding": strings.Repeat("x", s.padding)}
	for i := 0; i < s.pods; i++ {
		id := fmt.Sprintf("pod%d", i)
		pods = append(pods, &api.PodSandbox{Id: id, Name: id, Annotations: padding})
		containers = append(containers, &api.Container{Id: "c" + id, PodSandboxId: id, Annotations: padding})
	}
	updates, err := tell(ctx, pods, containers)
	told := outcome(err)
	told["updates"] = ids(updates)
	// Some versions ask at their start too, with no plugin there to answer.
	if err != nil || len(updates) > 0 || s.isStarted.Load() {
		s.synchronized <- told
	}
	return err
}

func (s *state) wait() reply {
	select {
	case told := <-s.synchronized:
		s.settle()
		return told
	case <-time.After(15 * time.Second):
		return reply{"error": "no plugin came"}
	}
}

// settle waits until a plugin that was told what exists is also told of events: that is a moment later.
func (s *state) settle() {
	block := reflect.ValueOf(s.runtime).MethodByName("BlockPluginSync")
	if !block.IsValid() {
		time.Sleep(20 * time.Millisecond)
		return
	}
	block.Call(nil)[0].MethodByName("Unblock").Call(nil)
}

func (s *state) update(_ context.Context, updates []*api.ContainerUpdate) ([]*api.ContainerUpdate, error) {
	s.asked <- updates
	if s.failing {
		return updates, nil
	}
	return nil, nil
}

func (s *state) asks() reply {
	select {
	case updates := <-s.asked:
		return reply{"updates": ids(updates)}
	case <-time.After(15 * time.Second):
		return reply{"error": "no update was asked for"}
	}
}

// call calls a method of the runtime side by its name; the request is the one that this version has for it.
func (s *state) call(c command) reply {
	method := reflect.ValueOf(s.runtime).MethodByName(c.Method)
	if !method.IsValid() {
		return reply{"unknown": true}
	}
	request := s.request(method, c)
	// The runtime side changes the request by the answers.
	sent := parts(request)
	began := time.Now()
	results := method.Call([]reflect.Value{reflect.ValueOf(context.Background()), reflect.ValueOf(request)})
	took := time.Since(began)
	err, _ := results[len(results)-1].Interface().(error)
	answer := outcome(err)
	answer["took_ms"] = took.Milliseconds()
	answer["sent"] = sent
	if len(results) == 2 && err == nil {
		answer["answer"] = parts(results[0].Interface().(proto.Message))
	}
	return answer
}

func (s *state) request(method reflect.Value, c command) proto.Message {
	request := reflect.New(method.Type().In(1).Elem()).Interface().(proto.Message)
	if c.Full {
		fill(request.ProtoReflect(), "")
	}
	message := reflect.ValueOf(request).Elem()
	set := func(name string, value any) {
		if field := message.FieldByName(name); field.IsValid() && !c.Full {
			field.Set(reflect.ValueOf(value))
		}
	}
	set("Pod", &api.PodSandbox{Id: c.ID, Name: c.ID, Uid: "uid-" + c.ID, Namespace: "default", Annotations: c.Annotations})
	set("Container", &api.Container{Id: "c" + c.ID, PodSandboxId: c.ID, Name: "main"})
	return request
}

// time calls a method many times and says how long each took, in nanoseconds.
func (s *state) time(c command) reply {
	method := reflect.ValueOf(s.runtime).MethodByName(c.Method)
	request := reflect.ValueOf(s.request(method, c))
	arguments := []reflect.Value{reflect.ValueOf(context.Background()), request}
	times := make([]int64, c.Rounds)
	for i := range times {
		began := time.Now()
		results := method.Call(arguments)
		times[i] = time.Since(began).Nanoseconds()
		if err, _ := results[len(results)-1].Interface().(error); err != nil {
			return outcome(err)
		}
	}
	return reply{"error": "", "times": times}
}

func outcome(err error) reply {
	if err != nil {
		return reply{"error": err.Error()}
	}
	return reply{"error": ""}
}

func ids(updates []*api.ContainerUpdate) []string {
	found := []string{}
	for _, update := range updates {
		found = append(found, update.ContainerId)
	}
	return found
}
