// Package proxy is what cnet's two proxies, the sidecar and the edge, have in
// common: sharing requests among backends, trying them again where that is safe,
// and leaving those alone that go on failing. HTTP itself is left to net/http.
//
//	a request ──▶ Transport ──▶ Choice: which backend, after those tried
//	                  │              ◀── Breakers: not one that is left alone
//	                  ▼
//	              one try, one connection ──▶ backend
//	                  │ failed, and may be done again, and the budget allows it
//	                  └──▶ the next try
//
// RFC 9110 (HTTP semantics), 9.2.2: idempotent methods.
package proxy
