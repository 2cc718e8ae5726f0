package consensus

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Names on the wire of the node RPC.
const (
	rpcService    = "tallymq.Node"
	rpcCall       = "/" + rpcService + "/Call"
	rpcForward    = "/" + rpcService + "/Forward"
	headerCluster = "tally-cluster"
	headerNode    = "tally-node"
	headerMethod  = "tally-method"
	headerReason  = "tally-reason"
)

// Methods of our own. The engine's names do not begin with a tilde.
const (
	methodPayloads   = "~payloads"
	methodEntry      = "~entry"
	methodLeader     = "~leader"
	methodWhole      = "~whole"
	methodMembership = "~membership"
	methodChange     = "~change"
)

const (
	rpcPingEvery   = 10 * time.Second
	rpcPingTimeout = 5 * time.Second
	rpcBackoffMax  = time.Second
)

// Handler answers a method of the node RPC. The body is its to keep.
type Handler = func(ctx context.Context, from NodeID, body []byte) ([]byte, error)

// reasons are the errors that keep their identity over the wire.
var reasons = []struct {
	name string
	err  error
}{
	{"no-replica", ErrNoReplica}, {"closed", ErrClosed}, {"too-large", ErrTooLarge}, {"damaged", ErrDamaged}, {"not-whole", ErrNotWhole},
	{"wrong-cluster", ErrWrongCluster}, {"removed", ErrReplicaRemoved}, {"unreachable", ErrUnreachable}, {"unknown-node", ErrUnknownNode},
}

// frame is a message: bytes as they are.
type frame struct{ b []byte }

// rawCodec lets grpc carry frames.
type rawCodec struct{}

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	f, ok := v.(*frame)
	if !ok {
		return nil, fmt.Errorf("consensus: rpc: cannot marshal %T", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(f.b)}, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	f, ok := v.(*frame)
	if !ok {
		return fmt.Errorf("consensus: rpc: cannot unmarshal into %T", v)
	}
	f.b = data.Materialize()
	return nil
}

func (rawCodec) Name() string { return "tally-raw" }

// rpc is the node's end of the node RPC, both server and client.
type rpc struct {
	cluster string
	node    NodeID
	dial    func(ctx context.Context, addr string) (net.Conn, error)
	bytes   int // largest message
	server  *grpc.Server
	served  chan struct{}
	forward func(grpc.ServerStream) error

	mu       sync.Mutex
	handlers map[string]Handler
	conns    map[string]*grpc.ClientConn
	closed   bool
}

func newRPC(o *Options, forward func(grpc.ServerStream) error) *rpc {
	c := &rpc{cluster: o.ClusterID, node: o.Node, dial: o.Dial, bytes: o.Limits.MessageBytes, forward: forward,
		handlers: map[string]Handler{}, conns: map[string]*grpc.ClientConn{}, served: make(chan struct{})}
	c.server = grpc.NewServer(
		grpc.ForceServerCodecV2(rawCodec{}),
		grpc.MaxRecvMsgSize(c.bytes), grpc.MaxSendMsgSize(math.MaxInt32),
		grpc.InitialWindowSize(4*mib), grpc.InitialConnWindowSize(8*mib),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: rpcPingEvery, Timeout: rpcPingTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: rpcPingEvery / 2, PermitWithoutStream: true}),
		grpc.WaitForHandlers(true),
	)
	c.server.RegisterService(&grpc.ServiceDesc{
		ServiceName: rpcService,
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "Call", Handler: serveCall}},
		Streams:     []grpc.StreamDesc{{StreamName: "Forward", Handler: serveForward, ServerStreams: true, ClientStreams: true}},
	}, c)
	return c
}

func (c *rpc) serve(l net.Listener) {
	go func() {
		defer close(c.served)
		_ = c.server.Serve(l) // returns when stopped; a listener that broke earlier makes callers fail, which they report
	}()
}

func (c *rpc) handle(method string, fn Handler) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handlers[method] = fn
}

func serveCall(srv any, ctx context.Context, dec func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	c := srv.(*rpc)
	var in frame
	if err := dec(&in); err != nil {
		return nil, err
	}
	from, method, err := c.admit(ctx)
	if err != nil {
		return nil, c.refuse(ctx, err)
	}
	c.mu.Lock()
	fn := c.handlers[method]
	c.mu.Unlock()
	if fn == nil {
		return nil, status.Errorf(codes.Unimplemented, "no method %q", method)
	}
	out, err := fn(ctx, from, in.b)
	if err != nil {
		return nil, c.refuse(ctx, err)
	}
	return &frame{out}, nil
}

func serveForward(srv any, s grpc.ServerStream) error {
	c := srv.(*rpc)
	if _, _, err := c.admit(s.Context()); err != nil {
		return c.refuse(s.Context(), err)
	}
	return c.forward(s)
}

// admit checks who asks. Either side may not know its cluster yet: a node that is joining.
func (c *rpc) admit(ctx context.Context) (from NodeID, method string, err error) {
	md, _ := metadata.FromIncomingContext(ctx)
	get := func(key string) string {
		if v := md.Get(key); len(v) == 1 {
			return v[0]
		}
		return ""
	}
	if theirs := get(headerCluster); theirs != "" && c.cluster != "" && theirs != c.cluster {
		atWrongCluster.Hit()
		return 0, "", fmt.Errorf("%w: %q asked %q", ErrWrongCluster, theirs, c.cluster)
	}
	n, err := strconv.ParseInt(get(headerNode), 10, 32)
	if err != nil {
		return 0, "", fmt.Errorf("%w: node id: %w", errMalformed, err)
	}
	return NodeID(n), get(headerMethod), nil
}

// refuse turns an error into a status; the well-known ones travel by name.
func (c *rpc) refuse(ctx context.Context, err error) error {
	for _, known := range reasons {
		if errors.Is(err, known.err) {
			_ = grpc.SetTrailer(ctx, metadata.Pairs(headerReason, known.name)) // fails only when the call is over
			break
		}
	}
	return status.Error(codes.Aborted, err.Error())
}

func (c *rpc) outgoing(ctx context.Context, method string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, headerCluster, c.cluster, headerNode, strconv.Itoa(int(c.node)), headerMethod, method)
}

func (c *rpc) call(ctx context.Context, addr, method string, body []byte) ([]byte, error) {
	conn, err := c.conn(addr)
	if err != nil {
		return nil, err
	}
	if len(body) > c.bytes {
		return nil, fmt.Errorf("%w: %s of %d bytes", ErrTooLarge, method, len(body))
	}
	var out frame
	var trailer metadata.MD
	if err := conn.Invoke(c.outgoing(ctx, method), rpcCall, &frame{body}, &out, grpc.Trailer(&trailer)); err != nil {
		return nil, remoteError(ctx, addr, method, trailer, err)
	}
	if actReplyLost.Now() {
		return nil, fmt.Errorf("%w: %s at %s: the reply was lost", ErrUnreachable, method, addr)
	}
	return out.b, nil
}

// remoteError tells a peer's refusal from a peer that could not be asked.
func remoteError(ctx context.Context, addr, method string, trailer metadata.MD, err error) error {
	st, _ := status.FromError(err)
	if st.Code() == codes.Aborted || st.Code() == codes.Unimplemented {
		var known error = &RemoteError{Method: method, Message: st.Message()}
		for _, r := range reasons {
			if v := trailer.Get(headerReason); len(v) == 1 && v[0] == r.name {
				return fmt.Errorf("%w: %w", r.err, known)
			}
		}
		return known
	}
	if ctx.Err() != nil {
		return fmt.Errorf("consensus: %s at %s: %w", method, addr, context.Cause(ctx))
	}
	return fmt.Errorf("%w: %s at %s: %s", ErrUnreachable, method, addr, st.Message())
}

func (c *rpc) conn(addr string) (*grpc.ClientConn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	if conn := c.conns[addr]; conn != nil {
		return conn, nil
	}
	wait := backoff.DefaultConfig
	wait.BaseDelay, wait.MaxDelay = retryEvery, rpcBackoffMax
	conn, err := grpc.NewClient("passthrough:///"+addr,
		grpc.WithTransportCredentials(insecure.NewCredentials()), // encryption is the dialer's and the listener's business
		grpc.WithContextDialer(c.dial),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{}), grpc.MaxCallRecvMsgSize(c.bytes), grpc.MaxCallSendMsgSize(math.MaxInt32)),
		grpc.WithInitialWindowSize(4*mib), grpc.WithInitialConnWindowSize(8*mib),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: rpcPingEvery, Timeout: rpcPingTimeout}),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: wait, MinConnectTimeout: requestTimeout}),
		grpc.WithDisableServiceConfig(),
	)
	if err != nil {
		return nil, fmt.Errorf("consensus: dial %s: %w", addr, err)
	}
	c.conns[addr] = conn
	return conn, nil
}

// close ends serving and every connection, and waits for handlers.
func (c *rpc) close() error {
	c.mu.Lock()
	c.closed = true
	conns := c.conns
	c.conns = nil
	c.mu.Unlock()
	var errs []error
	for _, conn := range conns {
		errs = append(errs, conn.Close())
	}
	c.server.Stop()
	<-c.served
	return errors.Join(errs...)
}
