//go:build !generate

package main

// heeded is known where the package that heeds is built in.
func heeded() reply {
	return reply{"broken": "built without the tag generate"}
}
