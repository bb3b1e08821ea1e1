// What lawful demands ask of the service: facts, copies, and the day's entry in the public log.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "lawful/order.h"
#include "server/core.h"
#include "server/pack_files.h"
#include "store/layout.h"

namespace holdfast::server {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxObject = 16ULL * 1024 * 1024;
constexpr std::size_t kMaxSnapshots = 1'000'000;

std::string preserved_folder(const std::string& data, std::uint64_t matter) {
  return data + "/lawful/" + std::to_string(matter);
}

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

// When the service received each record of a vault that brought a snapshot.
Result<std::vector<TimeMs>> received(store::Account& in, store::Files& files,
                                     const std::string& folder, const VaultId& vault) {
  std::vector<TimeMs> out;
  std::uint64_t n = 1;
  for (;;) {
    const auto page = TRY(in.read_records(vault, n));
    if (page.empty() || out.size() > kMaxSnapshots) return out;
    for (const Bytes& bytes : page) {
      const auto outer = TRY(wire::decode<circle::SignedRecord>(bytes));
      const auto record = TRY(wire::decode<circle::Record>(outer.record));
      const std::string path = folder + "/vaults/" + vault.hex() + "/" + store::numbered(n++);
      if (record.kind != circle::RecordKind::kSnapshot) continue;
      const auto info = TRY(files.info(path));
      out.push_back(info.modified_ms);
    }
  }
}

Result<std::vector<std::pair<PackId, std::uint64_t>>> packs_of(store::Files& files,
                                                               const std::string& folder) {
  std::vector<std::pair<PackId, std::uint64_t>> out;
  for (const std::string& shelf : TRY(files.list(folder + "/packs")))
    for (const std::string& name : TRY(files.list(folder + "/packs/" + shelf))) {
      const auto id = store::id_of<PackId>(name);
      const auto info = files.info(folder + "/packs/" + shelf + "/" + name);
      if (id && info.ok()) out.emplace_back(*id, info->size);
    }
  return out;
}

Result<void> sync_folder(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid() || ::fsync(fd.get()) != 0) return io_error("write", path, errno);
  return Ok{};
}

// Everything but packs, as files under the names they have in the store.
Result<void> copy_objects(store::Files& files, const std::string& from, const std::string& to) {
  TRY(make_dirs(to));
  for (const std::string& name : TRY(files.list(from))) {
    if (name == "packs") continue;
    const auto object = files.get(from + "/" + name, kMaxObject);
    if (object.ok()) {
      TRY(create_file(to + "/" + name, *object));
    } else if (object.error().code == Code::kNotFound) {
      TRY(copy_objects(files, from + "/" + name, to + "/" + name));
    } else {
      return object.error();
    }
  }
  return Ok{};
}

Result<void> remove_folder(const std::string& path) {
  std::error_code failed;
  fs::remove_all(path, failed);
  return failed ? Result<void>(io_error("remove", path, failed.value())) : Result<void>(Ok{});
}

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t n = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return n;
}

std::string words_of(const PreservedCopy& copy) {
  return std::to_string(copy.until_ms) + " " + std::to_string(copy.packs) + " " +
         std::to_string(copy.bytes) + "\n";
}

}  // namespace

Result<std::optional<PreservedCopy>> preserved_copy(const std::string& data, std::uint64_t matter) {
  const auto text = read_file(preserved_folder(data, matter) + "/until", 256);
  if (!text.ok() && text.error().code == Code::kNotFound) return std::optional<PreservedCopy>();
  TRY(text);
  std::vector<std::uint64_t> numbers;
  std::string_view rest = as_text(*text);
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find_first_of(" \n"), rest.size());
    const auto n = number_of(rest.substr(0, end));
    if (!n) break;
    numbers.push_back(*n);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (numbers.size() != 3)
    return Error{Code::kCorrupt, "what was preserved in matter " + std::to_string(matter) +
                                     " does not say until when"};
  return std::optional(PreservedCopy{static_cast<TimeMs>(numbers[0]), numbers[1], numbers[2]});
}

Result<void> sweep_preserved(const std::string& data, TimeMs now) {
  if (!exists(data + "/lawful")) return Ok{};
  for (const std::string& name : TRY(list_dir(data + "/lawful"))) {
    const auto matter = number_of(name);
    if (!matter) continue;  // being made, or not ours
    const auto copy = TRY(preserved_copy(data, *matter));
    if (copy && copy->until_ms <= now) TRY(remove_folder(preserved_folder(data, *matter)));
  }
  return Ok{};
}

Result<std::vector<std::string>> Core::alike(const std::string& account) {
  std::vector<std::string> out;
  for (std::string& name : TRY(rows_.names()))
    if (name != account && lower(name) == lower(account)) out.push_back(std::move(name));
  return out;
}

Result<std::optional<Holdings>> Core::holdings_of(const std::string& account) {
  if (!store::check_account_name(account).ok()) return std::optional<Holdings>();
  const auto row = TRY(rows_.find(account));
  const auto in = TRY(open_account(account));
  if (!row || !in) return std::optional<Holdings>();
  Holdings out{*row, TRY(in->circle()), {}, {}, {}};
  const std::string folder = store::account_folder(account);
  const auto files = storage_->files();
  out.packs = TRY(packs_of(*files, folder));
  TRY(connections_.flush());
  out.connections = TRY(connections_.read(account));
  for (const circle::Vault& vault : out.circle.vaults()) {
    VaultHoldings one{vault.id, vault.name, vault.always_e2e, false, 0, {}};
    const auto key = lawful::keys_now(out.circle, {vault.id});
    one.provider_reads = key.ok() && !key->empty();
    if (one.provider_reads) one.epoch = key->front().epoch;
    one.snapshots = TRY(received(*in, *files, folder, vault.id));
    out.vaults.push_back(std::move(one));
  }
  return std::optional(std::move(out));
}

// Packs are shared with the account (hard links): they take no room while it has them, and stay
// when it gives them up. Nothing of the account's rows changes, so its quota does not.
Result<PreservedCopy> Core::preserve(const std::string& account, std::uint64_t matter,
                                     TimeMs until_ms) {
  if (const auto there = TRY(preserved_copy(options_.data, matter))) return *there;
  const auto in = TRY(open_account(account));
  if (!in) return Error{Code::kNotFound, "there is no account \"" + account + "\" here"};
  const std::string part = preserved_folder(options_.data, matter) + ".part";
  TRY(remove_folder(part));  // of an attempt that was cut off
  TRY(make_dirs(part + "/packs"));
  PreservedCopy copy{until_ms, 0, 0};
  {
    // Shared: nothing is swept away meanwhile.
    const std::shared_lock stays(writing_);
    TRY(copy_objects(*storage_->files(), store::account_folder(account), part + "/objects"));
    for (const auto& [pack, size] :
         TRY(packs_of(*storage_->files(), store::account_folder(account)))) {
      const std::string from = options_.data + "/" + pack_path(account, pack);
      const std::string to = part + "/packs/" + pack.hex();
      if (::link(from.c_str(), to.c_str()) != 0) return io_error("link", to, errno);
      ++copy.packs;
      copy.bytes += size;
    }
  }
  TRY(create_file(part + "/account", as_bytes(account + "\n")));
  TRY(create_file(part + "/until", as_bytes(words_of(copy))));
  TRY(sync_folder(part + "/packs"));
  const std::string whole = preserved_folder(options_.data, matter);
  if (::rename(part.c_str(), whole.c_str()) != 0) return io_error("rename", whole, errno);
  TRY(sync_folder(options_.data + "/lawful"));
  return copy;
}

// One a day, whether anything happened or not.
Result<void> Core::bind_lawful() {
  const auto opening = TRY(lawful_.next_head(clock_->now()));
  if (!opening) return Ok{};
  const auto said = TRY(wire::decode<lawful::HeadOpening>(*opening));
  tlog::LawfulHead leaf;
  leaf.day = said.day;
  leaf.commitment = head_commitment(*opening);
  return log_->append_leaf(leaf);
}

}  // namespace holdfast::server
