// A container runtime that runs nothing. It tells kubelet that its containers run until kubelet stops them, and writes
// down, a line of JSON each, what kubelet wanted of them.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"os"
	"path"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

type sandbox struct {
	config  *cri.PodSandboxConfig
	handler string
	state   cri.PodSandboxState
	created int64
	address string
}

type container struct {
	sandbox string
	status  *cri.ContainerStatus
}

// runtime keeps everything in memory: one that is started anew has nothing, like a machine after a reboot.
type runtime struct {
	cri.UnimplementedRuntimeServiceServer
	cri.UnimplementedImageServiceServer

	record *json.Encoder

	mutex      sync.Mutex
	last       int
	sandboxes  map[string]*sandbox
	containers map[string]*container
}

// created is a line of the record.
type created struct {
	Namespace      string            `json:"namespace"`
	Pod            string            `json:"pod"`
	PodUID         string            `json:"podUid"`
	PodAnnotations map[string]string `json:"podAnnotations"`
	Container      string            `json:"container"`
	Attempt        uint32            `json:"attempt"`
	Image          string            `json:"image"`
	Command        []string          `json:"command"`
	Envs           map[string]string `json:"envs"`
	Devices        []device          `json:"devices"`
	CDIDevices     []string          `json:"cdiDevices"`
	Mounts         []mount           `json:"mounts"`
	Annotations    map[string]string `json:"annotations"`
	Privileged     bool              `json:"privileged"`
}

type device struct {
	HostPath      string `json:"hostPath"`
	ContainerPath string `json:"containerPath"`
	Permissions   string `json:"permissions"`
}

type mount struct {
	HostPath      string `json:"hostPath"`
	ContainerPath string `json:"containerPath"`
	ReadOnly      bool   `json:"readOnly"`
}

func lineOf(pod *cri.PodSandboxConfig, c *cri.ContainerConfig) created {
	line := created{
		Namespace:      pod.GetMetadata().GetNamespace(),
		Pod:            pod.GetMetadata().GetName(),
		PodUID:         pod.GetMetadata().GetUid(),
		PodAnnotations: pod.GetAnnotations(),
		Container:      c.GetMetadata().GetName(),
		Attempt:        c.GetMetadata().GetAttempt(),
		Image:          c.GetImage().GetImage(),
		Command:        append(append([]string{}, c.GetCommand()...), c.GetArgs()...),
		Envs:           map[string]string{},
		Devices:        []device{},
		CDIDevices:     []string{},
		Mounts:         []mount{},
		Annotations:    c.GetAnnotations(),
		Privileged:     c.GetLinux().GetSecurityContext().GetPrivileged(),
	}
	for _, e := range c.GetEnvs() {
		line.Envs[e.GetKey()] = string(e.GetValue())
	}
	for _, d := range c.GetDevices() {
		line.Devices = append(line.Devices, device{d.GetHostPath(), d.GetContainerPath(), d.GetPermissions()})
	}
	for _, d := range c.GetCDIDevices() {
		line.CDIDevices = append(line.CDIDevices, d.GetName())
	}
	for _, m := range c.GetMounts() {
		line.Mounts = append(line.Mounts, mount{m.GetHostPath(), m.GetContainerPath(), m.GetReadonly()})
	}
	return line
}

func (r *runtime) newID(kind string) string {
	r.last++
	return fmt.Sprintf("%s%d", kind, r.last)
}

func absent(id string) error { return status.Errorf(codes.NotFound, "there is no %q", id) }

// The runtime itself.

func (r *runtime) Version(context.Context, *cri.VersionRequest) (*cri.VersionResponse, error) {
	return &cri.VersionResponse{
		Version: "0.1.0", RuntimeName: "fakecri", RuntimeVersion: "0.1.0", RuntimeApiVersion: "v1",
	}, nil
}

func (r *runtime) Status(context.Context, *cri.StatusRequest) (*cri.StatusResponse, error) {
	return &cri.StatusResponse{Status: &cri.RuntimeStatus{Conditions: []*cri.RuntimeCondition{
		{Type: cri.RuntimeReady, Status: true},
		{Type: cri.NetworkReady, Status: true},
	}}}, nil
}

func (r *runtime) RuntimeConfig(context.Context, *cri.RuntimeConfigRequest) (*cri.RuntimeConfigResponse, error) {
	return &cri.RuntimeConfigResponse{Linux: &cri.LinuxRuntimeConfiguration{CgroupDriver: cri.CgroupDriver_CGROUPFS}}, nil
}

func (r *runtime) UpdateRuntimeConfig(
	context.Context, *cri.UpdateRuntimeConfigRequest,
) (*cri.UpdateRuntimeConfigResponse, error) {
	return &cri.UpdateRuntimeConfigResponse{}, nil
}

// Pods.

func (r *runtime) RunPodSandbox(_ context.Context, q *cri.RunPodSandboxRequest) (*cri.RunPodSandboxResponse, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	id := r.newID("pod")
	r.sandboxes[id] = &sandbox{
		config:  q.GetConfig(),
		handler: q.GetRuntimeHandler(),
		state:   cri.PodSandboxState_SANDBOX_READY,
		created: time.Now().UnixNano(),
		address: fmt.Sprintf("198.18.%d.%d", r.last/250%256, r.last%250+1), // of the network for bench tests
	}
	return &cri.RunPodSandboxResponse{PodSandboxId: id}, nil
}

func (r *runtime) StopPodSandbox(_ context.Context, q *cri.StopPodSandboxRequest) (*cri.StopPodSandboxResponse, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if s := r.sandboxes[q.GetPodSandboxId()]; s != nil {
		s.state = cri.PodSandboxState_SANDBOX_NOTREADY
		for _, c := range r.containers {
			if c.sandbox == q.GetPodSandboxId() {
				c.end()
			}
		}
	}
	return &cri.StopPodSandboxResponse{}, nil
}

func (r *runtime) RemovePodSandbox(
	_ context.Context, q *cri.RemovePodSandboxRequest,
) (*cri.RemovePodSandboxResponse, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	delete(r.sandboxes, q.GetPodSandboxId())
	for id, c := range r.containers {
		if c.sandbox == q.GetPodSandboxId() {
			delete(r.containers, id)
		}
	}
	return &cri.RemovePodSandboxResponse{}, nil
}

func (r *runtime) PodSandboxStatus(
	_ context.Context, q *cri.PodSandboxStatusRequest,
) (*cri.PodSandboxStatusResponse, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	s := r.sandboxes[q.GetPodSandboxId()]
	if s == nil {
		return nil, absent(q.GetPodSandboxId())
	}
	return &cri.PodSandboxStatusResponse{Status: &cri.PodSandboxStatus{
		Id:             q.GetPodSandboxId(),
		Metadata:       s.config.GetMetadata(),
		State:          s.state,
		CreatedAt:      s.created,
		Network:        &cri.PodSandboxNetworkStatus{Ip: s.address},
		Linux:          &cri.LinuxPodSandboxStatus{Namespaces: &cri.Namespace{Options: s.options()}},
		Labels:         s.config.GetLabels(),
		Annotations:    s.config.GetAnnotations(),
		RuntimeHandler: s.handler,
	}}, nil
}

func (s *sandbox) options() *cri.NamespaceOption {
	return s.config.GetLinux().GetSecurityContext().GetNamespaceOptions()
}

func (r *runtime) ListPodSandbox(
	_ context.Context, q *cri.ListPodSandboxRequest,
) (*cri.ListPodSandboxResponse, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	answer, f := &cri.ListPodSandboxResponse{}, q.GetFilter()
	for id, s := range r.sandboxes {
		wanted := (f.GetId() == "" || f.GetId() == id) && (f.GetState() == nil || f.GetState().GetState() == s.state)
		if wanted && has(s.config.GetLabels(), f.GetLabelSelector()) {
			answer.Items = append(answer.Items, &cri.PodSandbox{
				Id:             id,
				Metadata:       s.config.GetMetadata(),
				State:          s.state,
				CreatedAt:      s.created,
				Labels:         s.config.GetLabels(),
				Annotations:    s.config.GetAnnotations(),
				RuntimeHandler: s.handler,
			})
		}
	}
	return answer, nil
}

func has(labels, wanted map[string]string) bool {
	for key, value := range wanted {
		if labels[key] != value {
			return false
		}
	}
	return true
}

// Containers.

func (r *runtime) CreateContainer(
	_ context.Context, q *cri.CreateContainerRequest,
) (*cri.CreateContainerResponse, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	s, config := r.sandboxes[q.GetPodSandboxId()], q.GetConfig()
	if s == nil {
		return nil, absent(q.GetPodSandboxId())
	}
	if err := r.record.Encode(lineOf(s.config, config)); err != nil {
		return nil, err
	}
	id := r.newID("container")
	r.containers[id] = &container{sandbox: q.GetPodSandboxId(), status: &cri.ContainerStatus{
		Id:          id,
		Metadata:    config.GetMetadata(),
		State:       cri.ContainerState_CONTAINER_CREATED,
		CreatedAt:   time.Now().UnixNano(),
		Image:       config.GetImage(),
		ImageRef:    config.GetImage().GetImage(),
		ImageId:     config.GetImage().GetImage(),
		Labels:      config.GetLabels(),
		Annotations: config.GetAnnotations(),
		Mounts:      config.GetMounts(),
		// Never empty: kubelet removes whatever begins with it, and "*" is all of its working directory.
		LogPath: path.Join("/var/log/pods", s.config.GetLogDirectory(), config.GetLogPath(), id),
	}}
	if directory, file := s.config.GetLogDirectory(), config.GetLogPath(); directory != "" && file != "" {
		r.containers[id].status.LogPath = path.Join(directory, file)
	}
	return &cri.CreateContainerResponse{ContainerId: id}, nil
}

func (r *runtime) StartContainer(_ context.Context, q *cri.StartContainerRequest) (*cri.StartContainerResponse, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	c := r.containers[q.GetContainerId()]
	if c == nil {
		return nil, absent(q.GetContainerId())
	}
	if err := touch(c.status.GetLogPath()); err != nil {
		return nil, err
	}
	c.status.State, c.status.StartedAt = cri.ContainerState_CONTAINER_RUNNING, time.Now().UnixNano()
	return &cri.StartContainerResponse{}, nil
}

// touch makes the log that kubelet expects, which stays empty.
func touch(file string) error {
	if err := os.MkdirAll(path.Dir(file), 0o755); err != nil {
		return err
	}
	log, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return log.Close()
}

func (c *container) end() {
	if c.status.State != cri.ContainerState_CONTAINER_EXITED {
		c.status.State, c.status.FinishedAt = cri.ContainerState_CONTAINER_EXITED, time.Now().UnixNano()
		c.status.Reason = "Completed"
	}
}

func (r *runtime) StopContainer(_ context.Context, q *cri.StopContainerRequest) (*cri.StopContainerResponse, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if c := r.containers[q.GetContainerId()]; c != nil {
		c.end()
	}
	return &cri.StopContainerResponse{}, nil
}

func (r *runtime) RemoveContainer(
	_ context.Context, q *cri.RemoveContainerRequest,
) (*cri.RemoveContainerResponse, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	delete(r.containers, q.GetContainerId())
	return &cri.RemoveContainerResponse{}, nil
}

func (r *runtime) ContainerStatus(
	_ context.Context, q *cri.ContainerStatusRequest,
) (*cri.ContainerStatusResponse, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	c := r.containers[q.GetContainerId()]
	if c == nil {
		return nil, absent(q.GetContainerId())
	}
	return &cri.ContainerStatusResponse{Status: c.snapshot()}, nil
}

// snapshot is what an answer may hold after the lock is gone.
func (c *container) snapshot() *cri.ContainerStatus {
	s := c.status
	return &cri.ContainerStatus{
		Id: s.Id, Metadata: s.Metadata, State: s.State, CreatedAt: s.CreatedAt, StartedAt: s.StartedAt,
		FinishedAt: s.FinishedAt, Reason: s.Reason, Image: s.Image, ImageRef: s.ImageRef, ImageId: s.ImageId,
		Labels: s.Labels, Annotations: s.Annotations, Mounts: s.Mounts, LogPath: s.LogPath,
	}
}

func (r *runtime) ListContainers(_ context.Context, q *cri.ListContainersRequest) (*cri.ListContainersResponse, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	answer, f := &cri.ListContainersResponse{}, q.GetFilter()
	for id, c := range r.containers {
		wanted := (f.GetId() == "" || f.GetId() == id) &&
			(f.GetPodSandboxId() == "" || f.GetPodSandboxId() == c.sandbox) &&
			(f.GetState() == nil || f.GetState().GetState() == c.status.GetState())
		if wanted && has(c.status.GetLabels(), f.GetLabelSelector()) {
			answer.Containers = append(answer.Containers, &cri.Container{
				Id:           id,
				PodSandboxId: c.sandbox,
				Metadata:     c.status.GetMetadata(),
				Image:        c.status.GetImage(),
				ImageRef:     c.status.GetImageRef(),
				ImageId:      c.status.GetImageId(),
				State:        c.status.GetState(),
				CreatedAt:    c.status.GetCreatedAt(),
				Labels:       c.status.GetLabels(),
				Annotations:  c.status.GetAnnotations(),
			})
		}
	}
	return answer, nil
}

func (r *runtime) UpdateContainerResources(
	context.Context, *cri.UpdateContainerResourcesRequest,
) (*cri.UpdateContainerResourcesResponse, error) {
	return &cri.UpdateContainerResourcesResponse{}, nil
}

func (r *runtime) ReopenContainerLog(
	_ context.Context, q *cri.ReopenContainerLogRequest,
) (*cri.ReopenContainerLogResponse, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	c := r.containers[q.GetContainerId()]
	if c == nil {
		return nil, absent(q.GetContainerId())
	}
	return &cri.ReopenContainerLogResponse{}, touch(c.status.GetLogPath())
}

func (r *runtime) ListContainerStats(
	context.Context, *cri.ListContainerStatsRequest,
) (*cri.ListContainerStatsResponse, error) {
	return &cri.ListContainerStatsResponse{}, nil
}

func (r *runtime) ListPodSandboxStats(
	context.Context, *cri.ListPodSandboxStatsRequest,
) (*cri.ListPodSandboxStatsResponse, error) {
	return &cri.ListPodSandboxStatsResponse{}, nil
}

// Images: every one is here.

func (r *runtime) ImageStatus(_ context.Context, q *cri.ImageStatusRequest) (*cri.ImageStatusResponse, error) {
	name := q.GetImage().GetImage()
	return &cri.ImageStatusResponse{
		Image: &cri.Image{Id: name, RepoTags: []string{name}, Size: 1, Spec: q.GetImage()},
	}, nil
}

func (r *runtime) ListImages(context.Context, *cri.ListImagesRequest) (*cri.ListImagesResponse, error) {
	return &cri.ListImagesResponse{}, nil
}

func (r *runtime) PullImage(_ context.Context, q *cri.PullImageRequest) (*cri.PullImageResponse, error) {
	return &cri.PullImageResponse{ImageRef: q.GetImage().GetImage()}, nil
}

func (r *runtime) RemoveImage(context.Context, *cri.RemoveImageRequest) (*cri.RemoveImageResponse, error) {
	return &cri.RemoveImageResponse{}, nil
}

func (r *runtime) ImageFsInfo(context.Context, *cri.ImageFsInfoRequest) (*cri.ImageFsInfoResponse, error) {
	of := []*cri.FilesystemUsage{{
		Timestamp:  time.Now().UnixNano(),
		FsId:       &cri.FilesystemIdentifier{Mountpoint: "/var/lib/kubelet"},
		UsedBytes:  &cri.UInt64Value{},
		InodesUsed: &cri.UInt64Value{},
	}}
	return &cri.ImageFsInfoResponse{ImageFilesystems: of, ContainerFilesystems: of}, nil
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: fakecri SOCKET RECORD")
	}
	record, err := os.OpenFile(os.Args[2], os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		log.Fatal(err)
	}
	if err := os.Remove(os.Args[1]); err != nil && !os.IsNotExist(err) {
		log.Fatal(err)
	}
	listener, err := net.Listen("unix", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	r := &runtime{
		record:     json.NewEncoder(record),
		sandboxes:  map[string]*sandbox{},
		containers: map[string]*container{},
	}
	server := grpc.NewServer()
	cri.RegisterRuntimeServiceServer(server, r)
	cri.RegisterImageServiceServer(server, r)
	log.Fatal(server.Serve(listener))
}
