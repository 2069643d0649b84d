#include "gateway/character_width.h"

#include <locale.h>
#include <wchar.h>

namespace sallyport::gateway {
namespace {

// Made once, never changed, shared by all threads.
locale_t utf8_locale() {
    static const locale_t locale = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    return locale;
}

}  // namespace

int character_width(char32_t character) {
    if (character < 0x300) return 1;
    const locale_t utf8 = utf8_locale();
    if (!utf8) return 1;
    const locale_t before = ::uselocale(utf8);
    const int width = ::wcwidth(static_cast<wchar_t>(character));
    ::uselocale(before);
    return width < 0 ? 1 : width > 2 ? 2 : width;
}

}  // namespace sallyport::gateway
