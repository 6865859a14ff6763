# Turns the recorded text of a walk (tests/support/walk.sh) into an SVG picture of a terminal, whose lines appear one after the other once.
# tests/support/record.sh calls it. Nothing is added to the text; lines that are too long are broken.
BEGIN {
	columns = 118; height_px = 17; width_px = 7.25
}

function escape(text) {
	gsub(/&/, "\\&amp;", text); gsub(/</, "\\&lt;", text); gsub(/>/, "\\&gt;", text)
	return text
}

function add(text, class) {
	line[++lines] = text; style[lines] = class
}

{
	gsub(/\t/, "    ")
	class = /^\$ / ? "c" : /^# / ? "n" : /^!! / ? "w" : "o"
	text = $0
	while (length(text) > columns) {
		add(substr(text, 1, columns), class)
		text = "  " substr(text, columns + 1)
	}
	add(text, class)
}

END {
	height = lines * height_px + 56; width = int(columns * width_px) + 32
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\" aria-label=\"A recorded walk through terok-shield in a terminal\">\n", width, height, width, height
	print "<style>"
	print "text { font: 12px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; white-space: pre; animation: show 1ms both }"
	print ".o { fill: #c9d1d9 } .c { fill: #7ee787; font-weight: bold } .n { fill: #79c0ff } .w { fill: #ff7b72 }"
	print "@keyframes show { from { opacity: 0 } to { opacity: 1 } }"
	print "@media (prefers-reduced-motion: reduce) { text { animation: none } }"
	print "</style>"
	printf "<rect width=\"%d\" height=\"%d\" rx=\"8\" fill=\"#0d1117\"/>\n", width, height
	print "<circle cx=\"18\" cy=\"18\" r=\"5\" fill=\"#ff5f57\"/><circle cx=\"36\" cy=\"18\" r=\"5\" fill=\"#febc2e\"/><circle cx=\"54\" cy=\"18\" r=\"5\" fill=\"#28c840\"/>"
	delay = 0
	for (i = 1; i <= lines; i++) {
		delay += style[i] == "n" ? 0.9 : style[i] == "c" ? 0.5 : 0.06
		if (line[i] != "")
			printf "<text class=\"%s\" x=\"16\" y=\"%d\" style=\"animation-delay:%.2fs\" xml:space=\"preserve\">%s</text>\n", style[i], 30 + i * height_px, delay, escape(line[i])
	}
	print "</svg>"
}
