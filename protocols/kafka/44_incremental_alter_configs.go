package kafka

import (
	"fmt"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// IncrementalAlterConfigs (key 44): changes single keys of topics' configurations (KIP-339).
//
// Behaviour
//   - As AlterConfigs, but what is not named stays. Operations: set, delete, and append and subtract for lists.
//   - Appending what is in the list, or subtracting what is not, changes nothing. On a key that is no list: INVALID_CONFIG.
//
// Versions
//   - 1 flexible.
func incrementalAlterConfigsLayout() *layout { return parseLayout("[ b s [ s b n ] ] b") }

func incrementalAlterConfigs(r *request, q *kmsg.IncrementalAlterConfigsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.IncrementalAlterConfigsResponse)
	resp.Resources = make([]kmsg.IncrementalAlterConfigsResponseResource, len(q.Resources))
	named := map[configResource]int{}
	for i := range q.Resources {
		named[configResource{q.Resources[i].ResourceType, q.Resources[i].ResourceName}]++
	}
	fanOut(len(q.Resources), func(i int) {
		in, out := &q.Resources[i], &resp.Resources[i]
		out.Default()
		out.ResourceType, out.ResourceName = in.ResourceType, in.ResourceName
		res := configResource{in.ResourceType, in.ResourceName}
		a := broker.ConfigAlteration{ValidateOnly: q.ValidateOnly}
		for _, c := range in.Configs {
			op, ok := configOps[c.Op]
			switch {
			case !ok:
				out.ErrorCode, out.ErrorMessage = refusedConfig(broker.CodeInvalidRequest, res, fmt.Sprintf("operation %d on %s is unknown", c.Op, c.Name))
				return
			case c.Value == nil && op != broker.ConfigDelete:
				out.ErrorCode, out.ErrorMessage = refusedConfig(broker.CodeInvalidRequest, res, "config "+c.Name+" is null")
				return
			}
			a.Changes = append(a.Changes, broker.ConfigChange{Key: c.Name, Op: op, Value: deref(c.Value)})
		}
		out.ErrorCode, out.ErrorMessage = alterConfig(r, res, named[res] > 1, a)
	})
	return resp
}

var configOps = map[kmsg.IncrementalAlterConfigOp]broker.ConfigOp{
	kmsg.IncrementalAlterConfigOpSet: broker.ConfigSet, kmsg.IncrementalAlterConfigOpDelete: broker.ConfigDelete,
	kmsg.IncrementalAlterConfigOpAppend: broker.ConfigAppend, kmsg.IncrementalAlterConfigOpSubtract: broker.ConfigSubtract,
}
