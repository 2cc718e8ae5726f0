package kafka

import (
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DeleteTopics (key 20): deletes topics by name or, from version 6, id.
//
// Behaviour
//   - Each topic has its own result; it is answered when every live node forgot the topic.
//   - Past the request's time-out the outcome of a topic is unknown: REQUEST_TIMED_OUT.
//   - Exactly one of name and id must be given, and once: else INVALID_REQUEST.
//
// Versions
//   - 4 flexible; 5 a message; 6 ids.
func deleteTopicsLayout() *layout { return parseLayout("0-5:( s ) 6+:[ n u ] w") }

func deleteTopics(r *request, q *kmsg.DeleteTopicsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.DeleteTopicsResponse)
	ctx, cancel := r.within(q.TimeoutMillis)
	defer cancel()
	asked := q.Topics
	for i := range q.TopicNames {
		asked = append(asked, kmsg.DeleteTopicsRequestTopic{Topic: &q.TopicNames[i]})
	}
	type wanted struct {
		name string
		id   broker.TopicID
	}
	named := map[wanted]int{}
	for _, t := range asked {
		named[wanted{deref(t.Topic), t.TopicID}]++
	}
	resp.Topics = make([]kmsg.DeleteTopicsResponseTopic, len(asked))
	fanOut(len(asked), func(i int) {
		in, out := &asked[i], &resp.Topics[i]
		out.Default()
		out.Topic, out.TopicID = in.Topic, in.TopicID
		id := broker.TopicID(in.TopicID)
		var t *broker.Topic
		var err error
		switch {
		case (in.Topic == nil) == id.IsZero():
			err = broker.Errorf(broker.CodeInvalidRequest, "delete topic", deref(in.Topic), "exactly one of name and id must be given")
		case named[wanted{deref(in.Topic), id}] > 1:
			err = broker.Errorf(broker.CodeInvalidRequest, "delete topic", deref(in.Topic), "it is named twice in one request")
		default:
			t, err = r.server.broker.DeleteTopic(ctx, r.client, deref(in.Topic), id)
		}
		if err != nil {
			out.ErrorCode, out.ErrorMessage = topicErrors.code(err), text(err)
			return
		}
		name := t.Name
		out.Topic, out.TopicID = &name, t.ID
	})
	return resp
}
