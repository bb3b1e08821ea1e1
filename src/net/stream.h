// One concrete byte stream: a non-blocking socket, with TLS 1.3 on it or not, read and written
// with a deadline by plain blocking calls.
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <string>

#include "base/file.h"
#include "base/result.h"

namespace holdfast::net {

using Deadline = std::chrono::steady_clock::time_point;
inline Deadline in_ms(std::int64_t ms) {
  return std::chrono::steady_clock::now() + std::chrono::milliseconds(ms);
}

// A TLS identity: certificate chain and key. Moves with its private key.
class ServerTls {
 public:
  // Files in PEM. kInvalid: they do not fit together.
  static Result<ServerTls> load(const std::string& certificate_file, const std::string& key_file);
  // From `folder`/tls.crt and tls.key (0600); makes a P-256 key and a self-signed certificate
  // there on the first start. Devices pin the key, so renewing the certificate keeps their trust.
  static Result<ServerTls> load_or_make(const std::string& folder);
  ServerTls(ServerTls&&) noexcept;
  ServerTls& operator=(ServerTls&&) noexcept;
  ~ServerTls();
  // SHA-256 of the public key (SubjectPublicKeyInfo).
  const Bytes& pin() const;
  // As a server: whoever does not prove to have the key of this pin is refused in the handshake.
  void require_client(Bytes client_pin);

  struct State;  // for this module's own files

 private:
  friend class Stream;
  explicit ServerTls(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// One thread at a time. SIGPIPE is ignored in a process that connects or serves.
class Stream {
 public:
  // Connects and shakes hands; the peer's key is NOT checked: compare pin() with the one expected
  // before anything is sent. kUnavailable. `own`: the identity shown to a peer that asks for one.
  static Result<Stream> connect(const std::string& host, const std::string& port, Deadline deadline,
                                const ServerTls* own = nullptr);
  // Of an accepted socket; `tls` null: plain bytes. No handshake yet.
  static Result<Stream> accepted(Fd socket, const ServerTls* tls);
  Stream(Stream&&) noexcept;
  Stream& operator=(Stream&&) noexcept;
  ~Stream();

  // SHA-256 of the peer's public key; empty without TLS.
  const Bytes& pin() const;
  // 0: the peer closed. kUnavailable: deadline, or a broken connection.
  Result<std::size_t> read_some(std::span<std::uint8_t> into, Deadline deadline);
  Result<void> write_all(BytesView bytes, Deadline deadline);
  // Sends up to `most` bytes from the file's position, and says how many. 0: the file ended.
  Result<std::size_t> send_file(int file, std::size_t most, Deadline deadline);

  // Never blocks. For an event loop.
  enum class Step { kDone, kWantRead, kWantWrite, kClosed };
  Step try_handshake();
  // kDone: `got` bytes were read, at least one.
  Step try_read(std::span<std::uint8_t> into, std::size_t& got);
  // Nothing more is sent; the peer is told.
  void end_writing();
  int socket() const;

 private:
  struct State;
  explicit Stream(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::net
