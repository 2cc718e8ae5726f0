package connection

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// scenes are what a client does on an open channel, and leaves open. After purge the front end closes the channel.
var scenes = []string{
	"queue.declare queue=\"q\"",
	"channel.flow active\nbasic.cancel-ok consumer-tag=\"c\"",
	"channel.close reply-code=200\nchannel.open",
	"queue.purge queue=\"q\"\nqueue.declare queue=\"late\"\nbody \"late\"\nchannel.close-ok\nchannel.open",
	"queue.purge queue=\"q\"\nchannel.close reply-code=200\nchannel.close-ok\nchannel.open",
	"basic.publish exchange=\"x\" routing-key=\"k\"\ncontent body-bytes=3 message-id=\"m\"\nbody \"abc\"",
	"basic.publish routing-key=\"l\"\ncontent body-bytes=6 headers={n=I:1}\nbody \"abc\"\nbody \"def\"",
	"basic.publish routing-key=\"large\"\ncontent body-bytes=9000\nbody x3000\nbody x3000\nbody x3000",
	"basic.publish routing-key=\"empty\"\ncontent body-bytes=0",
	"basic.publish routing-key=\"too-large\"\ncontent body-bytes=20001\nbody x4000\nchannel.close-ok\nchannel.open",
}

// strays are frames that end a conversation, or nearly.
var strays = []string{
	"0 heartbeat", "0 connection.update-secret new-secret=\"s\"", "0 connection.close reply-code=200", "0 connection.close-ok", "1 heartbeat",
	"1 connection.open virtual-host=\"/\"", "1 channel.open", "2 body \"abc\"", "2 content body-bytes=3", "3 basic.ack delivery-tag=1", "9 queue.declare queue=\"q\"",
	`raw "\x03\x00\x01\x00\x01\x00\x00"`,
}

// drawLines draws scenes on three channels, their frames in turn, and now and then a stray among them.
func drawLines(t *rapid.T) []string {
	lines := strings.Split(`raw "AMQP\x00\x00\x09\x01"
0 connection.start-ok mechanism="PLAIN" response="\x00u\x00p"
0 connection.tune-ok channel-max=4 frame-max=4096 heartbeat=1
0 connection.open virtual-host="/"`, "\n")
	if rapid.IntRange(0, 19).Draw(t, "cut") == 19 {
		lines = lines[:rapid.IntRange(0, 3).Draw(t, "kept")]
	}
	var waiting [3][]string
	for i := range waiting {
		waiting[i] = []string{"channel.open"}
		for _, s := range rapid.SliceOfN(rapid.SampledFrom(scenes), 0, 6).Draw(t, "scenes") {
			waiting[i] = append(waiting[i], strings.Split(s, "\n")...)
		}
	}
	for left := len(waiting[0]) + len(waiting[1]) + len(waiting[2]); left > 0; left-- {
		i := rapid.IntRange(0, 2).Draw(t, "channel")
		for len(waiting[i]) == 0 {
			i = (i + 1) % 3
		}
		lines = append(lines, string(rune('1'+i))+" "+waiting[i][0])
		waiting[i] = waiting[i][1:]
		if rapid.IntRange(0, 59).Draw(t, "stray") == 59 {
			lines = append(lines, rapid.SampledFrom(strays).Draw(t, "which"))
		}
	}
	return lines
}

// Scenes of three channels in any order, cut and disturbed: the pieces in which the frames arrive change nothing, the
// bounds hold, and the end comes once. A fuzzer of bytes seldom gets so far.
func TestConversations(t *testing.T) {
	kinds := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		var in []byte
		for _, line := range drawLines(rt) {
			in = append(in, parseFrame(t, line)...)
		}
		whole := converse(t, append([]byte{}, in...), len(in)+1)
		piece := rapid.IntRange(1, 5000).Draw(rt, "piece")
		if pieces := converse(t, in, piece); pieces != whole {
			rt.Fatalf("in pieces of %d bytes:\n%s\nin one:\n%s", piece, pieces, whole)
		}
		for _, line := range strings.Split(whole, "\n") {
			kind, _, _ := strings.Cut(line, " ")
			kinds[strings.TrimSuffix(kind, ":")]++
		}
	})
	t.Logf("events: %v", kinds)
	for _, k := range []EventKind{EventAuthenticate, EventOpen, EventChannelOpened, EventMethod, EventPublish, EventChannelClose, EventChannelFailed, EventFailed, EventEnd} {
		if kinds[k.String()] < 5 {
			t.Errorf("%v happened %d times: what is drawn is not worth much", k, kinds[k.String()])
		}
	}
}
