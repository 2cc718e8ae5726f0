package kafka

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// ApiVersions (key 18): which requests are served, in which versions.
//
// Behaviour
//   - Lists exactly what is served, sorted by key.
//   - A version above ours is answered in version 0 with UNSUPPORTED_VERSION and our range for this key (KIP-511), so that the
//     client asks again.
//   - transaction.version 2 is supported and finalized: clients that know KIP-890 speak the second transaction protocol.
//   - A software name or version with odd characters: INVALID_REQUEST.
//
// Versions
//   - 3 flexible, software name and version, features; 4 minimal versions of 0 for features: before it such a feature is not named as supported. The response's header is never flexible.
func apiVersionsLayout() *layout { return parseLayout("3+:s 3+:s") }

func apiVersions(r *request, q *kmsg.ApiVersionsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.ApiVersionsResponse)
	if q.Version >= 3 && (!isSoftwareName(q.ClientSoftwareName) || !isSoftwareName(q.ClientSoftwareVersion)) {
		resp.ErrorCode = errInvalidRequest
		return resp
	}
	for _, a := range r.server.apis { //lint:sorted below
		resp.ApiKeys = append(resp.ApiKeys, a.versions())
	}
	slices.SortFunc(resp.ApiKeys, func(a, b kmsg.ApiVersionsResponseApiKey) int { return int(a.ApiKey) - int(b.ApiKey) })
	if q.Version >= 4 {
		resp.SupportedFeatures = []kmsg.ApiVersionsResponseSupportedFeature{{Name: featureTransactions, MinVersion: 0, MaxVersion: featureTransactionsLevel}}
	}
	resp.FinalizedFeaturesEpoch = 0 // at −1 clients ignore them
	resp.FinalizedFeatures = []kmsg.ApiVersionsResponseFinalizedFeature{
		{Name: featureTransactions, MaxVersionLevel: featureTransactionsLevel, MinVersionLevel: featureTransactionsLevel},
	}
	return resp
}

// The feature of KIP-890, and its level that every node of this program can serve.
const (
	featureTransactions      = "transaction.version"
	featureTransactionsLevel = 2
)

func apiVersionsUnknown(r *request) kmsg.Response {
	resp := kmsg.NewPtrApiVersionsResponse()
	resp.ErrorCode = errUnsupportedVersion
	resp.ApiKeys = []kmsg.ApiVersionsResponseApiKey{r.api.versions()}
	return resp
}

func (a *api) versions() kmsg.ApiVersionsResponseApiKey {
	return kmsg.ApiVersionsResponseApiKey{ApiKey: a.key, MinVersion: a.min, MaxVersion: a.max}
}

// isSoftwareName: letters, digits, and inside also - and . (KIP-511).
func isSoftwareName(s string) bool {
	for i := range len(s) {
		c := s[i]
		alphanumeric := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alphanumeric && (i == 0 || i == len(s)-1 || c != '-' && c != '.') {
			return false
		}
	}
	return s != ""
}
