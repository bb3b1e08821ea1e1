// Records appended through HTTPS by so many devices at once, each to a vault of its own.
#include <thread>

#include "measures.h"
#include "member.h"

namespace holdfast::bench {
namespace {

constexpr std::size_t kPerAddress = 4;  // devices; the service limits requests by address

struct Device {
  std::unique_ptr<Member> member;
  Line line;
  std::vector<Bytes> records;
  Result<void> done = Ok{};
};

// Everything that the device itself must compute but the proofs is ready before the clock starts.
Result<std::vector<Device>> make_devices(const Target& target, const std::string& prefix,
                                         std::size_t clients, std::size_t each) {
  std::vector<Device> devices;
  auto members = TRY(make_members(target, prefix, clients));
  for (std::size_t i = 0; i < clients; ++i) {
    Target mine = target;
    mine.from = address_of(i, kPerAddress);
    Device device{std::move(members[i]), TRY(Line::open(mine)), {}};
    for (std::size_t n = 0; n < each; ++n) device.records.push_back(device.member->make_record());
    devices.push_back(std::move(device));
  }
  return devices;
}

Result<void> append_all(Device& device) {
  for (const Bytes& record : device.records) TRY(device.member->append_record(device.line, record));
  return Ok{};
}

}  // namespace

Result<void> appends(const Arguments& arguments) {
  const Target target{text(arguments, "port", "")};
  const std::string pids = text(arguments, "pids", "");
  const std::size_t clients = number(arguments, "clients", 1);
  const std::size_t each = number(arguments, "each", 100);
  auto devices = TRY(make_devices(target, text(arguments, "prefix", "appends-"), clients, each));
  const double cpu_before = cpu_seconds(pids);
  const Moment begun = now();
  {
    std::vector<std::jthread> threads;
    for (Device& device : devices)
      threads.emplace_back([&device] { device.done = append_all(device); });
  }
  const double seconds = seconds_since(begun);
  for (const Device& device : devices) TRY(device.done);
  const auto count = static_cast<double>(clients * each);
  print_rows({{"per_second", count / seconds},
              {"server_ms_each", (cpu_seconds(pids) - cpu_before) * 1000 / count},
              {"record_bytes", static_cast<double>(devices[0].records[0].size())}});
  return Ok{};
}

}  // namespace holdfast::bench
