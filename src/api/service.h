// The doors as a network front needs them: who asks is proven first, and packs are streamed.
//
// The front (net) trusts the service; the service trusts nothing that a request says. Safe from
// several threads.
#pragma once

#include "api/doors.h"
#include "api/request.h"
#include "base/file.h"

namespace holdfast::api {

// A pack on its way in. Gone without commit(): nothing was stored.
class PackSink {
 public:
  virtual ~PackSink() = default;
  virtual Result<void> write(BytesView piece) = 0;
  // kInvalid unless exactly the announced bytes came and their SHA-256 is the pack's name. Durable
  // once it returns.
  virtual Result<void> commit() = 0;
};

struct StoredFile {
  Fd file;
  std::uint64_t size = 0;
};

// The session of a proven caller. It holds only while the request lasts: the next one is proven
// anew, so a removed device is out at once.
class ServiceSession : public Session {
 public:
  // kUnavailable: it would exceed the account's quota, or the disk.
  virtual Result<std::unique_ptr<PackSink>> begin_pack(const PackId& pack, std::uint64_t size) = 0;
  virtual Result<StoredFile> open_pack(const PackId& pack) = 0;
};

class Service {
 public:
  virtual ~Service() = default;

  virtual Visitor& visitor() = 0;
  // `invitation` is "" where none was given. kDenied: sign-up is closed, or the invitation is void.
  // kUnavailable: where it is open, `peer` (an address, or what counts as one) made too many today.
  virtual Result<Receipt> sign_up(const std::string& account, const Append& genesis,
                                  const std::string& invitation, const std::string& peer) = 0;

  // As visitor().put_join(), of which `peer` may have a few
  // waiting: kUnavailable.
  virtual Result<void> put_join(const std::string& account, const RequestId& request,
                                JoinMessage which, BytesView message, const std::string& peer) = 0;
  // As visitor().custodian_key(), of which `peer` may have a few a day: kUnavailable. kDenied: for
  // an account that is not there, where sign_up() would say so to this invitation.
  virtual Result<Bytes> custodian_key(const CircleId&, const std::string& /*invitation*/,
                                      const std::string& /*peer*/) {
    return no_custodian();
  }
  // As visitor().ask_help(), of which `peer` may have a few: kUnavailable.
  virtual Result<void> ask_help(const std::string&, BytesView, const std::string&) {
    return no_custodian();
  }
  // A file of the public log: Visitor::get_log() as a file.
  virtual Result<StoredFile> open_log(const std::string&) { return no_log(); }

  // Who signed `line`, if its proof holds and was never used before. kDenied for every reason that
  // would tell a stranger something: no such account, no such device, a wrong signature are one
  // answer. `address` goes to the account's connection log.
  virtual Result<std::unique_ptr<ServiceSession>> prove(const RequestProof& proof,
                                                        const RequestLine& line,
                                                        const std::string& address) = 0;
  // The service's own time: never goes back, and a proof is judged by it.
  virtual TimeMs now() = 0;

  // Numbers for /metrics by name ("holdfast_packs_bytes"); readiness for /readyz.
  virtual std::vector<std::pair<std::string, double>> gauges() = 0;
  virtual Result<void> ready() = 0;
};

}  // namespace holdfast::api
