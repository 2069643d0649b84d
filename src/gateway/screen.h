// screen.h: what a user's terminal shows, kept by feeding on the same octets: both screens cell by cell, the cursor, and every mode that
// matters for drawing it anew (screen_redraw.h). An emulator of what xterm does, without answering queries.
//
// libvterm does the same but can't tell most modes, keeps only the first of several in one sequence, has no conceal, and grows without
// bound on hostile input; so it is the judge in our tests instead: random and real output must show the same in both.
// Pure; rows are as long as what is written in them, so an ordinary session takes some 10 to 60 KiB.
#pragma once
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/cell.h"
#include "gateway/terminal_size.h"
#include "gateway/vt_parser.h"

namespace sallyport::gateway {

// Up to six code points in one cell: a character and what combines with it; ends with 0.
using Cluster = std::array<char32_t, 6>;

struct Row {
    std::vector<Cell> cells;  // what is beyond is blank
    bool wrapped = false;     // the text goes on in the next row
};

class Screen final : VtParser::Sink {
public:
    class Owner {
    public:
        // A row leaves the primary screen at its top, for the scrollback. Valid during the call.
        virtual void on_row_scrolled_off(const Screen& screen, const Row& row) = 0;
        virtual void on_scrollback_cleared() = 0;  // ED 3

    protected:
        ~Owner() = default;
    };

    explicit Screen(TerminalSize size, Owner* owner = nullptr);

    void feed(Octets octets);
    void resize(TerminalSize size);
    bool between_sequences() const { return parser_.in_ground(); }

    enum class Charset : std::uint8_t { ascii, graphics };
    struct Cursor {
        int row = 0;
        int column = 0;
        bool wrap_pending = false;  // stands behind the last column: the next character goes to the next row
        Style pen;
        std::array<Charset, 2> charsets{};  // G0 and G1
        std::uint8_t shift = 0;             // which of them is in use
        bool origin = false;
    };
    struct Modes {
        bool application_cursor_keys = false;  // DECCKM
        bool application_keypad = false;       // DECKPAM
        bool reverse_screen = false;           // DECSCNM
        bool autowrap = true;                  // DECAWM
        bool insert = false;                   // IRM
        bool newline = false;                  // LNM
        bool cursor_visible = true;            // DECTCEM
        bool left_right_margins = false;       // DECLRMM
        bool focus_reports = false;            // 1004
        bool alternate_scroll = false;         // 1007
        bool bracketed_paste = false;          // 2004
        int mouse = 0;                         // 0, 9, 1000, 1002 or 1003
        int mouse_encoding = 0;                // 0, 1005, 1006, 1015 or 1016
        int cursor_shape = 0;                  // of DECSCUSR; 0: the terminal's own
        int modify_other_keys = 0;             // xterm's, CSI > 4 ; n m
        int keyboard_flags = 0;                // kitty's, CSI > n u
    };
    struct Margins {
        int top = 0, bottom = 0, left = 0, right = 0;  // first and last, both inside
        bool operator==(const Margins&) const = default;
    };

    TerminalSize size() const { return size_; }
    const Cursor& cursor() const { return cursor_; }
    const Modes& modes() const { return modes_; }
    const Margins& margins() const { return margins_; }
    Margins all() const { return {0, size_.rows - 1, 0, size_.columns - 1}; }
    const std::vector<bool>& tab_stops() const { return tab_stops_; }
    bool has_default_tab_stops() const;
    bool on_alternate() const { return alternate_ != nullptr; }
    const std::vector<Row>& rows() const { return alternate_ ? *alternate_ : primary_; }
    const std::vector<Row>& primary_rows() const { return primary_; }
    const Cursor& primary_cursor() const { return primary_cursor_; }            // while on_alternate(): where it will be again
    const std::optional<Cursor>& saved_cursor() const { return saved_; }        // by DECSC, of the screen that is shown
    const std::optional<Cursor>& primary_saved_cursor() const { return alternate_ ? primary_saved_ : saved_; }
    const std::string& title() const { return title_; }
    const std::string& icon_name() const { return icon_name_; }

    Cell cell(int row, int column) const;  // blank where nothing is written
    // The code points of a cell that isn't blank; ends with 0.
    Cluster text_of(const Cell& cell) const;
    std::size_t memory() const;
    Screen snapshot() const;  // what is shown now, as a screen of its own that has no owner

private:
    void on_character(char32_t character) override;
    void on_control(std::uint8_t control) override;
    void on_escape(char intermediate, char final) override;
    void on_csi(const VtParser::Csi& csi) override;
    void on_osc(std::string_view text) override;

    // screen.cc: the cells
    std::vector<Row>& grid() { return alternate_ ? *alternate_ : primary_; }
    Row& row(int at) { return grid()[static_cast<std::size_t>(at)]; }
    void put(char32_t character, int width);
    void combine(char32_t character);
    void erase(int row, int from, int to);  // columns from..to-1
    void split_wide(Row& row, int column);  // what would be cut through at the left edge of this column becomes blank
    void scroll(Margins area, int rows);    // up if positive
    void shift_cells(int row, int from, int to, int by);
    void line_feed();
    void reverse_line_feed();
    void move_to(int row, int column);
    void clamp_cursor();
    void restore_cursor();
    void tab(int times);
    void collect_clusters();
    void reset();
    void soft_reset();
    void enter_alternate(bool save);
    void leave_alternate(bool restore);
    Cell blank() const;
    bool inside_margins() const;
    int right_edge() const;

    // screen_sequences.cc: their meaning
    void set_mode(int mode, bool on);
    void set_private_mode(int mode, bool on);
    void set_rendition(const VtParser::Csi& csi);
    static std::size_t take_colour(const VtParser::Csi& csi, std::size_t at, Colour& colour);
    void erase_display(int what);
    void erase_line(int what);
    void set_margins(const VtParser::Csi& csi);
    void set_left_right_margins(const VtParser::Csi& csi);

    TerminalSize size_;
    Owner* owner_;
    VtParser parser_;
    std::vector<Row> primary_;
    std::unique_ptr<std::vector<Row>> alternate_;  // while it is shown
    Cursor cursor_;
    Cursor primary_cursor_;
    std::optional<Cursor> saved_;
    std::optional<Cursor> primary_saved_;
    Modes modes_;
    Margins margins_;
    std::vector<bool> tab_stops_;
    std::string title_;
    std::string icon_name_;
    std::vector<Cluster> clusters_;
    struct {
        int row = -1;
        int column = 0;
    } last_;                       // the character put last, for combining ones; row -1: none
    char32_t last_character_ = 0;  // for REP
    int last_width_ = 1;
};

}  // namespace sallyport::gateway
