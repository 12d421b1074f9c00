// SPDX-License-Identifier: Apache-2.0
// Stored images through the door: how clients bring and fetch them, and how requests name them.
#include "crosvisor/service/door/doorkeeper.hpp"

#include <caf/send.hpp>

#include <cerrno>

namespace crosvisor::door {

namespace {

caf::error no_store() {
  return caf::make_error(vm_errc::unsupported, "no images are stored here; a daemon has a store");
}

vm_errc code_of(int code) {
  switch (code) {
    case ENOENT: return vm_errc::no_such_image;
    case EEXIST: return vm_errc::name_taken;
    case EBUSY: return vm_errc::wrong_state;
    case EDQUOT:
    case EAGAIN: return vm_errc::busy;
    case EINVAL:
    case EBADMSG: return vm_errc::invalid_config;
    default: return vm_errc::io_failed;
  }
}

caf::error store_error(const io::failure& why) {
  return caf::make_error(code_of(why.code), why.what);
}

/// Null: it is no failure.
const io::failure* failure_of(const io::store_result& what) {
  return std::get_if<io::failure>(&what.value);
}

} // namespace

// -- asking it ----------------------------------------------------------------

template <class T>
io::image_store::completion<T> doorkeeper_state::reported(store_reply then) {
  auto number = ++last_number_;
  store_requests_.emplace(number, std::move(then));
  return [self = doorkeeper_actor{self_}, number](io::result<T> got) {
    auto what = std::make_shared<io::store_result>();
    if (got)
      what->value = std::move(*got);
    else
      what->value = got.why();
    caf::send_as(self, self, finished_atom::value, number, store_answer{std::move(what)});
  };
}

void doorkeeper_state::store_answered(std::uint64_t number, const store_answer& what) {
  auto node =
    is_own_message() ? store_requests_.extract(number) : decltype(store_requests_)::node_type{};
  if (node)
    node.mapped()(*what);
}

template <class T, class Got, class Start>
caf::result<T> doorkeeper_state::ask_store(const permit& by, Start start) {
  if (!options_.images)
    return no_store();
  auto counted = limits_.requests.take(by.who());
  if (!counted)
    return counted.error();
  auto answer = self_->make_response_promise<T>();
  start(*options_.images,
        reported<Got>([answer, counted = *counted](io::store_result& what) mutable {
          if (const auto* why = failure_of(what))
            answer.deliver(store_error(*why));
          else if constexpr (std::is_same_v<T, Got>)
            answer.deliver(std::move(std::get<T>(what.value)));
          else
            answer.deliver(caf::ok_atom::value);
        }));
  return answer;
}

caf::result<upload_place> doorkeeper_state::begin_upload(const permit& by, image_upload wanted) {
  return ask_store<upload_place, upload_place>(
    by, [&](auto& store, auto done) { store.begin(by.who(), std::move(wanted), std::move(done)); });
}

caf::result<std::uint64_t> doorkeeper_state::put_piece(const permit& by, image_piece piece) {
  return ask_store<std::uint64_t, std::uint64_t>(
    by, [&](auto& store, auto done) { store.put(by.who(), std::move(piece), std::move(done)); });
}

caf::result<image_info> doorkeeper_state::finish_upload(const permit& by, std::uint64_t upload) {
  return ask_store<image_info, image_info>(
    by, [&](auto& store, auto done) { store.finish(by.who(), upload, std::move(done)); });
}

caf::result<std::vector<image_info>> doorkeeper_state::list_images(const permit& by) {
  auto of_all = gate_->still(door_request::list_all_images, by.who());
  using infos = std::vector<image_info>;
  return ask_store<infos, infos>(
    by, [&](auto& store, auto done) { store.list(of_all ? nullptr : &by.who(), std::move(done)); });
}

caf::result<image_part> doorkeeper_state::read_image(const permit& by, image_query query) {
  return ask_store<image_part, image_part>(
    by, [&](auto& store, auto done) { store.read(by.who(), std::move(query), std::move(done)); });
}

caf::result<caf::ok_atom> doorkeeper_state::remove_image(const permit& by, std::string image) {
  return ask_store<caf::ok_atom, std::monostate>(
    by, [&](auto& store, auto done) { store.remove(by.who(), std::move(image), std::move(done)); });
}

// -- the files of requests ----------------------------------------------------

caf::error doorkeeper_state::still(door_request request, const permit& by) const {
  if (gate_->still(request, by.who()))
    return {};
  return caf::make_error(vm_errc::denied,
                         shown(by.who()) + " may not " + to_string(request) + " any more");
}

void doorkeeper_state::open_stored(const permit& by, const vm_files& files, const stored_uses& uses,
                                   std::uint64_t size, opened_files then) {
  std::vector<std::uint32_t> indices;
  std::vector<io::wanted_image> wanted;
  std::optional<std::uint32_t> made;
  for (const auto& [index, image] : files->stored_images()) {
    auto i = uses.find(index);
    auto use = i == uses.end() ? stored_use::read : i->second;
    if (use == stored_use::make) {
      made = index;
      continue;
    }
    indices.push_back(index);
    wanted.push_back({image, use == stored_use::write});
  }
  if (wanted.empty() && !made)
    return then({}, {});
  if (!options_.images)
    return then(no_store(), {});
  auto counted = limits_.requests.take(by.who());
  if (!counted)
    return then(counted.error(), {});
  options_.images->open_images(
    by.who(), std::move(wanted),
    reported<std::vector<io::unique_fd>>([=, this, counted = *counted](io::store_result& what) {
      if (const auto* why = failure_of(what))
        return then(store_error(*why), {});
      auto& opened = std::get<std::vector<io::unique_fd>>(what.value);
      for (std::size_t i = 0; i < indices.size(); ++i)
        files->put(indices[i], std::move(opened[i]));
      if (!made)
        return then({}, {});
      make_stored(by, files, *made, size, then);
    }));
}

void doorkeeper_state::make_stored(const permit& by, const vm_files& files, std::uint32_t index,
                                   std::uint64_t size, opened_files then) {
  auto image = files->stored_images().at(index);
  options_.images->make(by.who(), image, size, reported<io::unique_fd>([=](io::store_result& what) {
                          if (const auto* why = failure_of(what))
                            return then(store_error(*why), {});
                          files->put(index, std::move(std::get<io::unique_fd>(what.value)));
                          then({}, image);
                        }));
}

template <class T>
void doorkeeper_state::end_making(const caller& who, const std::string& made,
                                  caf::typed_response_promise<T> answer, caf::expected<T> what) {
  auto deliver = [answer](caf::expected<T> said) mutable {
    if (said)
      answer.deliver(std::move(*said));
    else
      answer.deliver(std::move(said.error()));
  };
  if (made.empty())
    return deliver(std::move(what));
  auto keep = static_cast<bool>(what);
  options_.images->end_making(
    who, made, keep,
    reported<std::monostate>([deliver, what = std::move(what)](io::store_result& ended) mutable {
      const auto* why = failure_of(ended);
      // Of what was not made, the first error is the one that says why.
      if (what && why != nullptr)
        what = store_error(*why);
      deliver(std::move(what));
    }));
}

template void doorkeeper_state::end_making<caf::ok_atom>(const caller&, const std::string&,
                                                         caf::typed_response_promise<caf::ok_atom>,
                                                         caf::expected<caf::ok_atom>);
template void doorkeeper_state::end_making<idsig_info>(const caller&, const std::string&,
                                                       caf::typed_response_promise<idsig_info>,
                                                       caf::expected<idsig_info>);

} // namespace crosvisor::door
