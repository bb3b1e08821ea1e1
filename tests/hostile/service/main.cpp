// A service that is hostile, as a program, for the real programs to talk to over HTTPS; and a
// member that is, who writes snapshots that no honest device would. tools/story_hostile runs them.
//
//   hostile serve --data DIR --attack NAME [--log begin|grow|before]
//                 [--custodian URL --custodian-pin HEX]
//       prints where it listens, as holdfastd --json. SIGUSR1: lies that wait begin. --log: keeps a
//       public log, with a witness that is its friend; grow: one entry more in it; before: as the
//       real service and its witnesses left it. What was begun is kept. --custodian: a real one.
//   hostile write --home DIR --server URL --pin HEX --what NAME --outside DIR
//   hostile list   the names of all attacks
//   hostile forge|leaf|kept|demand   provider.h
#include <csignal>
#include <cstdio>

#include "hostile/attacks.h"
#include "hostile/hostile_member.h"
#include "hostile/log_attacks.h"
#include "net/client.h"
#include "net/custodian_client.h"
#include "net/http_server.h"
#include "net/routes.h"
#include "provider.h"
#include "server/service.h"
#include "sql/sqlite.h"
#include "witness/witness.h"

namespace holdfast::hostile {
namespace {

constexpr std::uint64_t kSeed = 1;

sigset_t block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGUSR1}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

// ---- its log ----

using Seed = crypto::Key<crypto::Ed25519Purpose>;
constexpr std::string_view kLogName = "log.example";

Result<std::unique_ptr<witness::Witness>> open_witness(const std::string& data,
                                                       const tlog::NoteKey* log) {
  witness::Options options{data + "/witness", "w1", {}};
  if (log != nullptr) options.logs.push_back(*log);
  return witness::Witness::open(std::move(options), std::make_shared<SystemClock>());
}

Result<server::LogOptions> log_options(const std::string& data) {
  server::LogOptions log;
  log.folder = data + "/log";
  log.key_file = data + "/log.key";
  log.name = kLogName;
  const auto witness = TRY(open_witness(data, nullptr));
  log.roots.witnesses.push_back({"w1", witness->key().key.bytes});
  log.roots.auditors.push_back({"w1", witness->auditor_key().bytes});
  log.roots.quorum = 1;
  return log;
}

// Steps the log, and has it witnessed.
class LogKeeper {
 public:
  static Result<std::unique_ptr<LogKeeper>> start(server::Service& service, const Lies& lies,
                                                  const std::string& data) {
    auto witness = TRY(open_witness(data, &service.log()->trusted().log()));
    auto keeper =
        std::unique_ptr<LogKeeper>(new LogKeeper(service, lies, data, std::move(witness)));
    TRY(keeper->turn());
    keeper->thread_ = std::jthread([own = keeper.get()](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        const auto done = own->turn();
        if (!done.ok()) std::fprintf(stderr, "hostile: log: %s\n", done.error().message.c_str());
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
      }
    });
    return keeper;
  }

 private:
  LogKeeper(server::Service& service, const Lies& lies, std::string data,
            std::unique_ptr<witness::Witness> witness)
      : service_(service), lies_(lies), data_(std::move(data)), witness_(std::move(witness)) {}

  Result<void> turn() {
    server::PublicLog& log = *service_.log();
    const bool stopped = lies_.stops_log && turned();
    // A log that stops still looks alive, and as if it had promised nothing.
    if (stopped) TRY(forget_changes());
    TRY(show(stopped ? 0 : 3600));
    if (stopped) return Ok{};
    TRY(service_.step_log());
    TRY(show(3600));
    for (;;) {
      const auto next = TRY(log.next_audit(audited_));
      if (!next) return Ok{};
      tlog::AuditBody body;
      body.checkpoint = TRY(log.shown_note());
      body.index = next->index;
      body.leaf = next->leaf;
      for (const Digest& hash : next->inclusion) body.inclusion.push_back(hash);
      body.delta = next->delta;
      const witness::Answer answer = witness_->audit(wire::encode(body));
      if (answer.status == 200) TRY(log.add_audit(answer.body));
      audited_ = answer.status == 200 ? audited_ + 1 : TRY(tlog::parse_size(as_text(answer.body)));
    }
  }

  Result<void> forget_changes() const {
    auto database = TRY(sql::Database::open(data_ + "/service.db"));
    auto forget = TRY(database.prepare("DELETE FROM log_dirty"));
    return forget.run();
  }

  Result<void> show(std::uint64_t renew_s) {
    server::PublicLog& log = *service_.log();
    const auto due = log.due(renew_s);
    if (!due) return Ok{};
    tlog::AddCheckpoint request;
    request.note = TRY(tlog::Note::parse(due->note));
    for (int attempt = 0; attempt < 2; ++attempt) {
      request.old_size = size_;
      request.proof = TRY(log.consistency(size_, due->head.size));
      const auto answer = witness_->add_checkpoint(as_bytes(request.format()));
      if (answer.status == 200) {
        size_ = due->head.size;
        const auto signatures = TRY(tlog::parse_signatures(as_text(answer.body)));
        TRY(log.cosign(*due, signatures));
        return Ok{};
      }
      size_ = TRY(tlog::parse_size(as_text(answer.body)));
    }
    return Error{Code::kUnsafe, "the witness has another log"};
  }

  server::Service& service_;
  const Lies& lies_;
  const std::string data_;
  const std::unique_ptr<witness::Witness> witness_;
  std::uint64_t size_ = 0;
  std::uint64_t audited_ = 0;
  std::jthread thread_;
};

Result<void> grow(server::Service& service) {
  tlog::DeletionReceipt entry;
  crypto::random_fill(entry.receipt.bytes);
  return service.log()->append_leaf(entry);
}

// Null: there is none.
Result<std::unique_ptr<api::Custodian>> real_custodian(const Options& options,
                                                       const std::string& data) {
  if (!options.contains("--custodian")) return std::unique_ptr<api::Custodian>();
  const auto pin = from_hex(options.at("--custodian-pin"));
  if (!pin) return Error{Code::kInvalid, "--custodian-pin takes hexadecimal digits"};
  return net::open_custodian(TRY(net::parse_address(options.at("--custodian"))), *pin,
                             TRY(net::ServerTls::load_or_make(data)));
}

Result<void> serve(const Options& options) {
  const sigset_t signals = block_signals();
  const auto lies = attack(options.at("--attack"), kSeed);
  if (!lies) return Error{Code::kInvalid, "there is no attack " + options.at("--attack")};
  const std::string data = options.at("--data");
  TRY(make_dirs(data));
  auto tls = TRY(net::ServerTls::load_or_make(data));
  std::atomic<net::HttpServer*> front = nullptr;
  server::ServiceOptions wanted;
  wanted.data = data;
  wanted.tls_pin = tls.pin();
  wanted.sign_up = server::SignUp::kOpen;
  wanted.on_change = [&front](const std::string& account) {
    if (net::HttpServer* const server = front.load()) server->wake(account);
  };
  const auto log = options.find("--log");
  const bool before = log != options.end() && log->second == "before";
  if (before) {
    wanted.log = TRY(log_of_before(data));
  } else if (log != options.end() || exists(data + "/log.key")) {
    wanted.log = TRY(log_options(data));
    if (lies->stops_log) wanted.log->promise_s = 1;
  }
  const auto custodian = TRY(real_custodian(options, data));
  wanted.custodian = custodian.get();
  const auto honest =
      TRY(server::Service::open(std::move(wanted), std::make_shared<SystemClock>()));
  std::unique_ptr<LogKeeper> keeper;
  if (honest->log() != nullptr && !before) {
    if (log != options.end() && log->second == "grow") TRY(grow(*honest));
    keeper = TRY(LogKeeper::start(*honest, *lies, data));
  }
  HostileService service(*honest, *lies);
  net::Routes routes(service, tls.pin());
  net::Metrics metrics;
  const auto server = TRY(net::HttpServer::start({}, std::move(tls), routes, metrics));
  front.store(server.get());
  std::printf("{\"event\":\"listening\",\"url\":\"https://127.0.0.1:%s\",\"fingerprint\":\"%s\"}\n",
              server->port().c_str(), to_hex(server->pin()).c_str());
  std::fflush(stdout);
  int signal = 0;
  while (sigwait(&signals, &signal) == 0 && signal == SIGUSR1) turned() = true;
  server->stop();
  front.store(nullptr);
  keeper.reset();
  return honest->stop();
}

// ---- the member ----

using Plant = void (*)(HostileMember& member, const std::string& outside);

void name_dot_dot(HostileMember& member, const std::string&) {
  member.file(0, "!first", "fine");
  member.file(0, "..", "evil");
}
void name_absolute(HostileMember& member, const std::string& outside) {
  member.file(0, outside + "/evil", "evil");
}
void symlink_then_write(HostileMember& member, const std::string& outside) {
  member.symlink(0, "dir", outside);
  member.directory(0, "dir");
  member.file(1, "evil", "evil");
}
// With directory_over_symlink: the link comes with one snapshot, what goes through it with another.
void symlink(HostileMember& member, const std::string& outside) {
  member.symlink(0, "dir", outside);
}
void directory_over_symlink(HostileMember& member, const std::string&) {
  member.directory(0, "dir");
  member.file(1, "evil", "evil");
}
void hard_link(HostileMember& member, const std::string& outside) {
  archive::Entry link = HostileMember::named(0, "a-link", archive::EntryKind::kSymlink);
  link.target = to_bytes(as_bytes(outside + "/secret"));
  archive::Entry file = HostileMember::named(0, "b-file", archive::EntryKind::kFile);
  for (archive::Entry* entry : {&link, &file}) {
    entry->inode = 7;
    entry->links = 2;
  }
  member.entry(link);
  file.content = member.content(as_bytes("evil"));
  file.size = 4;
  member.entry(file);
}

// A frame of `real` zeros whose header says `raw`.
void bomb(HostileMember& member, std::size_t real, std::size_t raw) {
  const Bytes zeros(std::max(real, raw));
  const auto shown = BytesView(zeros).first(raw);
  const ChunkId id = member.chunk_id(archive::ChunkType::kData, shown);
  archive::FrameInfo frame;
  frame.raw = static_cast<std::uint32_t>(raw);
  frame.chunks.push_back({id, archive::ChunkType::kData, frame.raw});
  member.pack(archive::PackKind::kData, frame,
              archive::Compressor().compress(BytesView(zeros).first(real)));
  archive::Entry file = HostileMember::named(0, "bomb", archive::EntryKind::kFile);
  file.size = raw;
  file.content.extents.push_back({id, raw});
  member.entry(file);
}
void bomb_above_limit(HostileMember& member, const std::string&) {
  bomb(member, 64 * 1024 * 1024, 64 * 1024 * 1024);
}
void bomb_that_lies(HostileMember& member, const std::string&) {
  bomb(member, 64 * 1024 * 1024, 1024);
}
void file_that_grows(HostileMember& member, const std::string&) {
  archive::Entry file = HostileMember::named(0, "bomb", archive::EntryKind::kFile);
  const auto once = member.content(Bytes(1024 * 1024)).extents[0];
  file.content.extents.assign(archive::kMaxExtents, once);
  file.size = once.length + 1;
  member.entry(file);
}

const std::map<std::string, Plant>& plants() {
  static const std::map<std::string, Plant> all = {
      {"name-dot-dot", name_dot_dot},
      {"name-absolute", name_absolute},
      {"symlink-then-write", symlink_then_write},
      {"symlink", symlink},
      {"directory-over-symlink", directory_over_symlink},
      {"hard-link", hard_link},
      {"bomb-above-limit", bomb_above_limit},
      {"bomb-that-lies", bomb_that_lies},
      {"file-that-grows", file_that_grows},
  };
  return all;
}

Result<void> write(const Options& options) {
  const std::string& what = options.at("--what");
  const auto pin = from_hex(options.at("--pin"));
  if (!pin) return Error{Code::kInvalid, "--pin takes hexadecimal digits"};
  const auto store = net::open_service(TRY(net::parse_address(options.at("--server"))), *pin, "");
  vault::Home home = TRY(vault::Home::open(options.at("--home")));
  TRY(home.unlock({}));
  const SystemClock clock;
  HostileMember member(home, *store, clock);
  if (what == "file-as-list-of-files") {
    // The content of a file that spells a list of files is named as the snapshot's.
    member.commit(member.content(
        wire::encode(HostileMember::named(0, "planted", archive::EntryKind::kDirectory))));
    return Ok{};
  }
  if (what == "drop-everything") {
    member.forget_everything();
    member.drop_everything();
    return Ok{};
  }
  if (what == "list-nothing") {
    member.list_nothing();
    return Ok{};
  }
  const auto plant = plants().find(what);
  if (plant == plants().end()) return Error{Code::kInvalid, "nobody plants " + what};
  plant->second(member, options.at("--outside"));
  member.commit();
  return Ok{};
}

Result<void> run(const std::string& command, const Options& options) {
  if (command == "serve" && options.contains("--data") && options.contains("--attack"))
    return serve(options);
  if (command == "write" && options.size() == 5) return write(options);
  if (command == "forge" && options.size() == 4) return forge(options);
  if (command == "leaf" && options.size() == 1) return leaf(options);
  if (command == "kept" && options.size() == 6) return kept(options);
  if (command == "demand" && options.size() == 3) return demand(options);
  if (command != "list") return Error{Code::kInvalid, "hostile serve|write|list; see main.cpp"};
  for (const std::string& name : attack_names()) std::printf("%s\n", name.c_str());
  for (const auto& [name, plant] : plants()) std::printf("%s\n", name.c_str());
  return Ok{};
}

}  // namespace
}  // namespace holdfast::hostile

int main(int argc, char** argv) {
  holdfast::hostile::Options options;
  for (int i = 2; i + 1 < argc; i += 2) options[argv[i]] = argv[i + 1];
  const auto done = holdfast::hostile::run(argc > 1 ? argv[1] : "", options);
  if (done.ok()) return 0;
  std::fprintf(stderr, "hostile: %s\n", done.error().message.c_str());
  return 1;
}
