//go:build generate

package main

// Which fields of an adjustment make a difference to the container: both containerd and CRI-O have them written into its
// specification by the package that is asked here.

import (
	"encoding/json"
	"fmt"
	"sort"

	"github.com/containerd/nri/pkg/api"
	nrigen "github.com/containerd/nri/pkg/runtime-tools/generate"
	rspec "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/opencontainers/runtime-tools/generate"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// A path is the fields from a message down to one in it.
type path []protoreflect.FieldDescriptor

// heeded leaves out one field at a time of an adjustment that has all, and lists all and those that are missed; and the one that nothing
// can be done with, for the package panics, if there is such.
func heeded() reply {
	ways := paths(adjustment().ProtoReflect().Descriptor(), "", nil)
	kills, always := "", []path{}
	if adjusted(adjustment()) == panicked {
		for name, way := range ways {
			if len(name) > len(kills) && adjusted(adjustment(way)) != panicked {
				kills, always = name, []path{way}
			}
		}
	}
	whole := adjusted(adjustment(always...))
	known, heeded := []string{}, []string{}
	for name, way := range ways {
		known = append(known, name)
		if adjusted(adjustment(append(always, way)...)) != whole {
			heeded = append(heeded, name)
		}
	}
	sort.Strings(known)
	sort.Strings(heeded)
	return reply{"known": known, "heeded": heeded, "kills": kills}
}

// paths finds the fields of a message and of the messages in it, by the numbers on the way to them.
func paths(message protoreflect.MessageDescriptor, name string, soFar path) map[string]path {
	found := map[string]path{}
	for i := 0; i < message.Fields().Len(); i++ {
		field := message.Fields().Get(i)
		name := fmt.Sprintf("%s/%d", name, field.Number())
		to := append(append(path{}, soFar...), field)
		found[name] = to
		inner := field.Message()
		if field.IsMap() {
			inner = field.MapValue().Message()
		}
		if inner != nil {
			for name, way := range paths(inner, name, to) {
				found[name] = way
			}
		}
	}
	return found
}

// adjustment has all fields but these.
func adjustment(without ...path) *api.ContainerAdjustment {
	all := filled("ContainerAdjustment").(*api.ContainerAdjustment)
	linux := all.GetLinux().ProtoReflect()
	fields := linux.Descriptor().Fields()
	// What is filled in has no sense, and only here it needs some.
	if namespaces := fields.ByName("namespaces"); namespaces != nil {
		for i, kind := range []string{"ipc", "uts"} {
			linux.Get(namespaces).List().Get(i).Message().Interface().(*api.LinuxNamespace).Type = kind
		}
	}
	// This would undo what is asked for by the class.
	if rdt := fields.ByName("rdt"); rdt != nil {
		message := linux.Get(rdt).Message()
		message.Clear(message.Descriptor().Fields().ByName("remove"))
	}
	for _, way := range without {
		leaveOut(all.ProtoReflect(), way)
	}
	return all
}

func leaveOut(message protoreflect.Message, way path) {
	field := way[0]
	switch {
	case len(way) == 1:
		message.Clear(field)
	case field.IsMap():
		message.Get(field).Map().Range(func(_ protoreflect.MapKey, value protoreflect.Value) bool {
			leaveOut(value.Message(), way[1:])
			return true
		})
	case field.IsList():
		list := message.Get(field).List()
		for i := 0; i < list.Len(); i++ {
			leaveOut(list.Get(i).Message(), way[1:])
		}
	case message.Has(field):
		leaveOut(message.Get(field).Message(), way[1:])
	}
}

const panicked = "panicked"

// adjusted is the specification of a container with this adjustment, or the error.
func adjusted(adjustment *api.ContainerAdjustment) (told string) {
	defer func() {
		if recover() != nil {
			told = panicked
		}
	}()
	spec := &rspec.Spec{
		Process: &rspec.Process{},
		Linux:   &rspec.Linux{Resources: &rspec.LinuxResources{}, IntelRdt: &rspec.LinuxIntelRdt{L3CacheSchema: "before"}},
	}
	// The resolvers of containerd and CRI-O look the name up; that they are asked is the matter here.
	err := nrigen.SpecGenerator(&generate.Generator{Config: spec},
		nrigen.WithBlockIOResolver(func(class string) (*rspec.LinuxBlockIO, error) {
			weight := uint16(len(class))
			return &rspec.LinuxBlockIO{Weight: &weight}, nil
		}),
		nrigen.WithRdtResolver(func(class string) (*rspec.LinuxIntelRdt, error) {
			return &rspec.LinuxIntelRdt{ClosID: class, MemBwSchema: class}, nil
		}),
		nrigen.WithCDIDeviceInjector(func(spec *rspec.Spec, devices []string) error {
			spec.Hostname = devices[0]
			return nil
		}),
	).Adjust(adjustment)
	if err != nil {
		return err.Error()
	}
	text, err := json.Marshal(spec)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
