// Command idle is a plugin over the published Go stub that does nothing, to measure this crate against.
package main

import (
	"context"
	"os"

	"github.com/containerd/nri/pkg/api"
	"github.com/containerd/nri/pkg/stub"
	"github.com/sirupsen/logrus"
)

type plugin struct{}

func (*plugin) Synchronize(context.Context, []*api.PodSandbox, []*api.Container) ([]*api.ContainerUpdate, error) {
	return nil, nil
}

func (*plugin) RunPodSandbox(context.Context, *api.PodSandbox) error { return nil }

func (*plugin) CreateContainer(context.Context, *api.PodSandbox, *api.Container) (*api.ContainerAdjustment, []*api.ContainerUpdate, error) {
	return nil, nil, nil
}

func main() {
	logrus.SetLevel(logrus.ErrorLevel)
	s, err := stub.New(&plugin{}, stub.WithSocketPath(os.Args[1]), stub.WithPluginName("idle"), stub.WithPluginIdx("10"))
	if err == nil {
		err = s.Run(context.Background())
	}
	if err != nil {
		logrus.Fatal(err)
	}
}
