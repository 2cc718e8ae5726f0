package client

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Produce sends lines of standard input (or a file) as records.
type Produce struct {
	Topic       string `arg:"" help:"Topic to produce to."`
	File        string `short:"f" type:"existingfile" help:"File of lines to send instead of standard input."`
	Separator   string `short:"k" help:"Split each line at this text into key and value."`
	Partition   int32  `short:"p" default:"-1" help:"Partition to send to; -1: by key."`
	Compression string `short:"z" default:"none" enum:"none,gzip,snappy,lz4,zstd" help:"none, gzip, snappy, lz4 or zstd."`
}

var codecs = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

// lineBytesMax bounds one line; longer ones are refused rather than cut.
const lineBytesMax = 16 << 20

// Run sends until the input ends, then waits for every acknowledgement.
func (c *Produce) Run(g *Globals) error {
	ctx, cancel := Interruptible()
	defer cancel()
	var in io.Reader = os.Stdin
	if c.File != "" {
		f, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	opts := []kgo.Opt{kgo.ProducerBatchCompression(codecs[c.Compression]), kgo.AllowAutoTopicCreation()}
	if c.Partition >= 0 {
		opts = append(opts, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	}
	cl, err := g.Client(opts...)
	if err != nil {
		return err
	}
	defer cl.Close()
	var acked atomic.Int64
	var first atomic.Pointer[error]
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 64<<10), lineBytesMax)
	shown := time.Now()
	for lines.Scan() && first.Load() == nil && ctx.Err() == nil {
		r := &kgo.Record{Topic: c.Topic, Partition: c.Partition, Value: bytes.Clone(lines.Bytes())}
		if c.Separator != "" {
			if k, v, ok := bytes.Cut(r.Value, []byte(c.Separator)); ok {
				r.Key, r.Value = k, v
			}
		}
		cl.Produce(ctx, r, func(_ *kgo.Record, err error) {
			if err != nil {
				first.CompareAndSwap(nil, &err)
				return
			}
			acked.Add(1)
		})
		if time.Since(shown) > time.Second {
			shown = time.Now()
			fmt.Fprintf(g.err(), "%d records acknowledged\n", acked.Load())
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read input: %w", err)
	}
	if err := cl.Flush(ctx); err != nil {
		return fmt.Errorf("produce to %s: %d acknowledged, the rest unknown: %w", c.Topic, acked.Load(), err)
	}
	if e := first.Load(); e != nil {
		return fmt.Errorf("produce to %s: %d acknowledged: %w", c.Topic, acked.Load(), *e)
	}
	return g.Print(map[string]any{"topic": c.Topic, "acknowledged": acked.Load()}, []string{"TOPIC", "ACKNOWLEDGED"}, [][]string{{c.Topic, fmt.Sprint(acked.Load())}})
}
