// A service that is hostile, as a program, for the real programs to talk to over HTTPS; and a
// member that is, who writes snapshots that no honest device would. tools/story_hostile runs them.
//
//   hostile serve --data DIR --attack NAME          prints where it listens, as holdfastd --json
//   does hostile write --home DIR --server URL --pin HEX --what NAME --outside DIR hostile list the
//   names of all attacks
#include <csignal>
#include <cstdio>

#include "hostile/attacks.h"
#include "hostile/hostile_member.h"
#include "net/client.h"
#include "net/http_server.h"
#include "net/routes.h"
#include "server/service.h"

namespace holdfast::hostile {
namespace {

using Options = std::map<std::string, std::string>;
constexpr std::uint64_t kSeed = 1;

sigset_t block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
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
  const auto honest =
      TRY(server::Service::open(std::move(wanted), std::make_shared<SystemClock>()));
  HostileService service(*honest, *lies);
  net::Routes routes(service, tls.pin());
  net::Metrics metrics;
  const auto server = TRY(net::HttpServer::start({}, std::move(tls), routes, metrics));
  front.store(server.get());
  std::printf("{\"event\":\"listening\",\"url\":\"https://127.0.0.1:%s\",\"fingerprint\":\"%s\"}\n",
              server->port().c_str(), to_hex(server->pin()).c_str());
  std::fflush(stdout);
  int signal = 0;
  sigwait(&signals, &signal);
  server->stop();
  front.store(nullptr);
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
