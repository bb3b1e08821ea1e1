// What a service answers, as bytes that nobody trusts. Only for client.cpp and what tests it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "api/doors.h"
#include "base/result.h"

namespace holdfast::net {

struct Answer {
  unsigned status = 0;
  Bytes body;
  bool keep_alive = false;
};

// One answer, piece by piece.
class AnswerReader {
 public:
  // Takes no body that is longer.
  explicit AnswerReader(std::size_t max_body);
  AnswerReader(AnswerReader&&) noexcept;
  AnswerReader& operator=(AnswerReader&&) noexcept;
  ~AnswerReader();

  // True: the answer is whole, and what follows it was not looked at. kUnavailable: it is not HTTP
  // with a Content-Length, or too much of it. Nothing may be put after either. Throws
  // std::bad_alloc.
  Result<bool> put(BytesView piece);
  // Of an answer that is whole.
  Answer take();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The error that an answer other than 200 stands for. `host`: for one that does not say.
Error refusal(const Answer& answer, const std::string& host);
// The service's time that came with a refusal.
std::optional<TimeMs> service_time(const Answer& answer);
// A sentence from the service, made harmless for a terminal.
std::string harmless(std::string text);

}  // namespace holdfast::net
