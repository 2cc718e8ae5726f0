package kafka

import "github.com/twmb/franz-go/pkg/kmsg"

// DescribeUserScramCredentials (key 50): which users have passwords for SASL/SCRAM (KIP-554).
//
// Behaviour
//   - No user has: there is no authentication. A user that is named: RESOURCE_NOT_FOUND, as Kafka says for one without any. It is served
//     because kafka-configs asks for it when it describes a user's quotas.
//
// Versions
//   - 0 flexible from the start.
func describeScramLayout() *layout { return parseLayout("[ s ]") }

func describeScram(_ *request, q *kmsg.DescribeUserSCRAMCredentialsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.DescribeUserSCRAMCredentialsResponse)
	for _, u := range q.Users {
		out := kmsg.NewDescribeUserSCRAMCredentialsResponseResult()
		message := "no SCRAM credentials: users are not authenticated here"
		out.User, out.ErrorCode, out.ErrorMessage = u.Name, errResourceNotFound, &message
		resp.Results = append(resp.Results, out)
	}
	return resp
}
