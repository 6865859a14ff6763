# Turns a terminal's screen, captured with its colours (tests/support/screens.sh), into an SVG picture. tests/support/record.sh calls it.
#
#   awk -v columns=96 -v label=TEXT -f docs/screen-svg.awk SCREEN
#
# Of the sequences there are those that such a screen has: bold, dim, underlined, reverse, red and green.
BEGIN {
	height_px = 17; width_px = 7.25
}

function escape(text) {
	gsub(/&/, "\\&amp;", text); gsub(/</, "\\&lt;", text); gsub(/>/, "\\&gt;", text)
	return text
}

function sequence_take(codes,    list, count, i) {
	count = split(codes == "" ? "0" : codes, list, ";")
	for (i = 1; i <= count; i++) {
		if (list[i] == 0) bold = dim = under = turned = colour = ""
		else if (list[i] == 1) bold = " b"
		else if (list[i] == 2) dim = " f"
		else if (list[i] == 4) under = " u"
		else if (list[i] == 7) turned = " t"
		else if (list[i] == 22) bold = dim = ""
		else if (list[i] == 24) under = ""
		else if (list[i] == 27) turned = ""
		else if (list[i] == 31) colour = " r"
		else if (list[i] == 32) colour = " g"
		else if (list[i] == 39) colour = ""
	}
}

# A piece of one look, at its column: fonts differ in width, columns may not.
function piece_add(text, row, column,    x, y) {
	if (text == "") return
	x = 16 + column * width_px; y = 30 + row * height_px
	if (turned != "")
		shapes = shapes sprintf("<rect x=\"%.2f\" y=\"%d\" width=\"%.2f\" height=\"%d\" fill=\"#c9d1d9\"/>\n", x, y - 12, length(text) * width_px, height_px)
	if (text ~ /^ *$/ && under == "") return
	shapes = shapes sprintf("<text class=\"o%s%s%s%s%s\" x=\"%.2f\" y=\"%d\" textLength=\"%.2f\" xml:space=\"preserve\">%s</text>\n", \
		bold, dim, under, turned, colour, x, y, length(text) * width_px, escape(text))
}

{
	rest = $0; column = 0; row++
	while (match(rest, /\033\[[0-9;]*m/)) {
		piece_add(substr(rest, 1, RSTART - 1), row, column)
		column += RSTART - 1
		sequence_take(substr(rest, RSTART + 2, RLENGTH - 3))
		rest = substr(rest, RSTART + RLENGTH)
	}
	piece_add(rest, row, column)
}

END {
	height = row * height_px + 46; width = int(columns * width_px) + 32
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\" aria-label=\"%s\">\n", width, height, width, height, label
	print "<style>"
	print "text { font: 12px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; white-space: pre }"
	print ".o { fill: #c9d1d9 } .b { font-weight: bold } .f { fill: #8b949e } .u { text-decoration: underline } .r { fill: #ff7b72 } .g { fill: #7ee787 } .t { fill: #0d1117 }"
	print "</style>"
	printf "<rect width=\"%d\" height=\"%d\" rx=\"8\" fill=\"#0d1117\"/>\n", width, height
	print "<circle cx=\"18\" cy=\"18\" r=\"5\" fill=\"#ff5f57\"/><circle cx=\"36\" cy=\"18\" r=\"5\" fill=\"#febc2e\"/><circle cx=\"54\" cy=\"18\" r=\"5\" fill=\"#28c840\"/>"
	printf "%s", shapes
	print "</svg>"
}
