// Calls a device plugin as kubelet does: with its dial options and its messages. It prints a line of JSON for each call,
// with the bytes that went and came.
package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"log"
	"net"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // the codec that is recorded
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	api "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"
)

const unknown = "ffff:ff:1f.7"

// recorder is the codec of every call; it keeps what it has last encoded and decoded.
type recorder struct {
	encoding.CodecV2
	sent, got []byte
}

func (r *recorder) Marshal(message any) (mem.BufferSlice, error) {
	out, err := r.CodecV2.Marshal(message)
	r.sent = out.Materialize()
	return out, err
}

func (r *recorder) Unmarshal(data mem.BufferSlice, message any) error {
	r.got = data.Materialize()
	return r.CodecV2.Unmarshal(data, message)
}

type line struct {
	Call    string `json:"call"`
	Request string `json:"request"`
	Answer  string `json:"answer"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Decoded any    `json:"decoded"`
}

func main() {
	if len(os.Args) < 3 {
		log.Fatal("usage: pluginclient SOCKET ID...")
	}
	codec := &recorder{CodecV2: encoding.GetCodecV2("proto")}
	encoding.RegisterCodecV2(codec)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	connection, err := dial(ctx, os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	call(ctx, api.NewDevicePluginClient(connection), codec, os.Args[2:])
}

// dial is what k8s.io/kubernetes/pkg/kubelet/cm/devicemanager/plugin/v1beta1 does.
func dial(ctx context.Context, socket string) (*grpc.ClientConn, error) {
	return grpc.DialContext(ctx, socket, //nolint:staticcheck // kubelet's own
		grpc.WithAuthority("localhost"),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithBlock(),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", address)
		}),
	)
}

func call(ctx context.Context, plugin api.DevicePluginClient, codec *recorder, ids []string) {
	out := json.NewEncoder(os.Stdout)
	tell := func(name string, decoded any, err error) {
		said := status.Convert(err)
		told := line{Call: name, Request: hex.EncodeToString(codec.sent), Code: said.Code().String(), Message: said.Message()}
		if err == nil {
			told.Answer, told.Decoded = hex.EncodeToString(codec.got), decoded
		}
		if err := out.Encode(told); err != nil {
			log.Fatal(err)
		}
	}

	options, err := plugin.GetDevicePluginOptions(ctx, &api.Empty{})
	tell("GetDevicePluginOptions", options, err)

	watched, end := context.WithCancel(ctx)
	stream, err := plugin.ListAndWatch(watched, &api.Empty{})
	if err != nil {
		log.Fatal(err)
	}
	frame, err := stream.Recv()
	tell("ListAndWatch", frame, err)
	end()

	preferred, err := plugin.GetPreferredAllocation(ctx, &api.PreferredAllocationRequest{
		ContainerRequests: []*api.ContainerPreferredAllocationRequest{
			{AvailableDeviceIDs: ids, MustIncludeDeviceIDs: ids[len(ids)-1:], AllocationSize: int32(len(ids))},
		},
	})
	tell("GetPreferredAllocation", preferred, err)

	started, err := plugin.PreStartContainer(ctx, &api.PreStartContainerRequest{DevicesIds: ids})
	tell("PreStartContainer", started, err)

	for _, wanted := range [][]string{ids, ids[:1], {unknown}, {ids[0], ids[0]}} {
		given, err := plugin.Allocate(ctx, &api.AllocateRequest{
			ContainerRequests: []*api.ContainerAllocateRequest{{DevicesIds: wanted}},
		})
		tell("Allocate", given, err)
	}
}
