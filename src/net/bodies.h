// Bodies that both ends turn into the doors' values and back, and how a route reads and refuses.
// Only for this module's routes and clients.
#pragma once

#include "api/format.h"
#include "net/http.h"

namespace holdfast::net {

api::LogViewBody body_of(const api::LogView& view);
api::LogView view_of(api::LogViewBody body);

unsigned status_of(Code code);

template <class T>
Response answer(const T& value) {
  Response response;
  response.body = wire::encode(value);
  return response;
}

inline Response raw(Bytes bytes) {
  Response response;
  response.content_type = "application/octet-stream";
  response.body = std::move(bytes);
  return response;
}

inline Response done() { return Response{}; }

inline Error bad_path() { return {Code::kNotFound, "there is nothing at this address"}; }

// What a request carries and cannot be read is its own fault, no damage here.
template <class T>
Result<T> body_in(const Bytes& content) {
  auto body = wire::decode<T>(content);
  if (body.ok()) return body;
  return Error{Code::kInvalid, "the body of the request: " + body.error().message};
}

// kInvalid: it is longer, or cut off.
Result<Bytes> read_whole(const Request& request, Body& body, std::size_t limit);

// An answer other than 200.
Response refused(const Error& error, TimeMs now);

}  // namespace holdfast::net
