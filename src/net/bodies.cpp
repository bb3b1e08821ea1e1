#include "net/bodies.h"

#include <cstdlib>

namespace holdfast::net {

api::LogViewBody body_of(const api::LogView& view) {
  api::LogViewBody body;
  body.checkpoint = view.checkpoint;
  for (const Bytes& leaf : view.leaves) body.leaves.push_back(leaf);
  body.audit = view.audit;
  body.circle_next = view.circle_next;
  body.circle_proof = view.circle_proof;
  body.data_next = view.data_next;
  for (const auto& [vault, n] : view.data_heads) body.data_heads.push_back({vault, n});
  body.data_proof = view.data_proof;
  return body;
}

api::LogView view_of(api::LogViewBody body) {
  api::LogView view;
  view.checkpoint = std::move(body.checkpoint);
  for (Bytes& leaf : body.leaves) view.leaves.push_back(std::move(leaf));
  view.audit = std::move(body.audit);
  view.circle_next = body.circle_next;
  view.circle_proof = std::move(body.circle_proof);
  view.data_next = body.data_next;
  for (const api::VaultNumber& one : body.data_heads) view.data_heads.push_back({one.vault, one.n});
  view.data_proof = std::move(body.data_proof);
  return view;
}

unsigned status_of(Code code) {
  switch (code) {
    case Code::kNotFound: return 404;
    case Code::kDenied: return 403;
    case Code::kInvalid: return 400;
    case Code::kCorrupt: return 500;
    case Code::kConflict: return 409;
    case Code::kUnavailable: return 503;
    case Code::kUnsafe: return 422;
    case Code::kOutdated: return 426;
  }
  std::abort();
}

Result<Bytes> read_whole(const Request& request, Body& body, std::size_t limit) {
  if (request.content_length > limit)
    return Error{Code::kInvalid, "the body of the request is too large"};
  Bytes content(request.content_length);
  std::size_t have = 0;
  while (have < content.size()) {
    const std::size_t got = TRY(body.read(std::span(content).subspan(have)));
    if (got == 0) return Error{Code::kInvalid, "the body of the request is cut off"};
    have += got;
  }
  return content;
}

Response refused(const Error& error, TimeMs now) {
  Response response;
  response.status = status_of(error.code);
  response.body = wire::encode(
      api::ErrorBody{static_cast<std::uint8_t>(error.code), error.message.substr(0, 1000), now});
  return response;
}

}  // namespace holdfast::net
