// One connection to a server under measurement, Holdfast's or another: blocking, TLS 1.3 or plain,
// with one request at a time. The same code for both sides of a comparison.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/file.h"
#include "base/result.h"

namespace holdfast::bench {

struct Target {
  std::string port;
  bool tls = true;
  std::string from = "127.0.0.1";  // our own address: limits count by it
};

struct Answer {
  unsigned status = 0;
  std::uint64_t size = 0;
  Bytes body;  // its beginning
};

class Line {
 public:
  static Result<Line> open(const Target& target);
  Line(Line&&) noexcept;
  Line& operator=(Line&&) noexcept;
  ~Line();

  Result<void> send(const std::string& head, BytesView body);
  Result<Answer> receive();
  Result<Answer> ask(const std::string& head, BytesView body);
  // SHA-256 of the peer's public key; empty without TLS.
  Result<Bytes> pin() const;
  int socket() const;

 private:
  struct State;
  explicit Line(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::bench
