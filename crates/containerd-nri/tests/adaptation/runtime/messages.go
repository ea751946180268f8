package main

// What this version of the protocol has, and messages in which all of it is set. Everything here is found in the description
// that is compiled into the module; no field is named.

import (
	"encoding/hex"
	"fmt"
	"sort"

	"github.com/containerd/nri/pkg/api"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

const prefix = "nri.pkg.api.v1alpha1."

// describe lists the calls and the fields of every message.
func describe() reply {
	file := (&api.Container{}).ProtoReflect().Descriptor().ParentFile()
	calls, fields, enums := []string{}, []string{}, []string{}
	for i := 0; i < file.Services().Len(); i++ {
		service := file.Services().Get(i)
		for j := 0; j < service.Methods().Len(); j++ {
			method := service.Methods().Get(j)
			calls = append(calls, fmt.Sprintf("%s.%s %s %s", service.Name(), method.Name(), method.Input().Name(), method.Output().Name()))
		}
	}
	for i := 0; i < file.Messages().Len(); i++ {
		message := file.Messages().Get(i)
		for j := 0; j < message.Fields().Len(); j++ {
			field := message.Fields().Get(j)
			fields = append(fields, fmt.Sprintf("%s %d %s %s", message.Name(), field.Number(), kind(field), field.Name()))
		}
	}
	for i := 0; i < file.Enums().Len(); i++ {
		enum := file.Enums().Get(i)
		for j := 0; j < enum.Values().Len(); j++ {
			value := enum.Values().Get(j)
			enums = append(enums, fmt.Sprintf("%s %d %s", enum.Name(), value.Number(), value.Name()))
		}
	}
	return reply{"calls": calls, "fields": fields, "enums": enums}
}

func kind(field protoreflect.FieldDescriptor) string {
	if field.IsMap() {
		return "map<" + one(field.MapKey()) + "," + one(field.MapValue()) + ">"
	}
	if field.IsList() {
		return "repeated:" + one(field)
	}
	return one(field)
}

func one(field protoreflect.FieldDescriptor) string {
	switch field.Kind() {
	case protoreflect.MessageKind:
		return string(field.Message().Name())
	case protoreflect.EnumKind:
		return "int32"
	}
	return field.Kind().String()
}

func filled(name string) proto.Message {
	kind, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(prefix + name))
	if err != nil {
		return nil
	}
	message := kind.New()
	fill(message, "")
	return message.Interface()
}

// fill sets every field to something that no other field of its kind has.
func fill(message protoreflect.Message, path string) {
	fields := message.Descriptor().Fields()
	for i := 0; i < fields.Len(); i++ {
		field := fields.Get(i)
		path := path + "/" + string(field.Name())
		switch {
		case field.IsMap():
			entries := message.Mutable(field).Map()
			for n := 1; n <= 2; n++ {
				at := fmt.Sprintf("%s.%d", path, n)
				key := scalar(field.MapKey(), at).MapKey()
				if field.MapValue().Kind() == protoreflect.MessageKind {
					value := entries.NewValue()
					fill(value.Message(), at)
					entries.Set(key, value)
				} else {
					entries.Set(key, scalar(field.MapValue(), at))
				}
			}
		case field.IsList():
			list := message.Mutable(field).List()
			for n := 1; n <= 2; n++ {
				at := fmt.Sprintf("%s.%d", path, n)
				if field.Kind() == protoreflect.MessageKind {
					fill(list.AppendMutable().Message(), at)
				} else {
					list.Append(scalar(field, at))
				}
			}
		case field.Kind() == protoreflect.MessageKind:
			fill(message.Mutable(field).Message(), path)
		default:
			message.Set(field, scalar(field, path))
		}
	}
}

func scalar(field protoreflect.FieldDescriptor, path string) protoreflect.Value {
	number := 1
	for _, letter := range []byte(path) {
		number = (number*31 + int(letter)) % 9973
	}
	switch field.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(number))
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(number))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(int64(number))
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(uint64(number))
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(field.Enum().Values().Get(1).Number())
	}
	return protoreflect.ValueOfString(path)
}

// compare lists the fields in which two messages differ, and what this version cannot read in the second.
func compare(name string, expected, got string) reply {
	a, b := filled(name), filled(name)
	if a == nil {
		return reply{"unknown": true}
	}
	for message, text := range map[proto.Message]string{a: expected, b: got} {
		proto.Reset(message)
		bytes, err := hex.DecodeString(text)
		if err != nil {
			return reply{"broken": err.Error()}
		}
		if err := proto.Unmarshal(bytes, message); err != nil {
			return reply{"broken": err.Error()}
		}
	}
	found := map[string]bool{}
	differ(a.ProtoReflect(), b.ProtoReflect(), "", found)
	paths := []string{}
	for path := range found {
		paths = append(paths, path)
	}
	sort.Strings(paths)
	return reply{"differences": paths}
}

func differ(a, b protoreflect.Message, path string, found map[string]bool) {
	if len(b.GetUnknown()) > len(a.GetUnknown()) {
		found[path+"/(unknown)"] = true
	}
	fields := a.Descriptor().Fields()
	for i := 0; i < fields.Len(); i++ {
		field := fields.Get(i)
		path := path + "/" + string(field.Name())
		x, y := a.Get(field), b.Get(field)
		switch {
		case field.IsList() && field.Kind() == protoreflect.MessageKind && x.List().Len() == y.List().Len():
			for n := 0; n < x.List().Len(); n++ {
				differ(x.List().Get(n).Message(), y.List().Get(n).Message(), path, found)
			}
		case !field.IsList() && !field.IsMap() && field.Kind() == protoreflect.MessageKind && a.Has(field) && b.Has(field):
			differ(x.Message(), y.Message(), path, found)
		case !x.Equal(y):
			found[path] = true
		}
	}
}

// parts encodes the fields of a message one by one; of a list, the number of its elements is given.
func parts(message proto.Message) reply {
	found := reply{}
	message.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.IsList():
			found[string(field.Name())] = value.List().Len()
		case field.Kind() == protoreflect.MessageKind:
			found[string(field.Name())] = encode(value.Message().Interface())
		}
		return true
	})
	return found
}

func encode(message proto.Message) string {
	if message == nil {
		return ""
	}
	bytes, err := proto.MarshalOptions{Deterministic: true}.Marshal(message)
	if err != nil {
		return ""
	}
	return hex.EncodeToString(bytes)
}
