package tinybert.text;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A small JSON reader: objects become maps, arrays lists, numbers Double, null null.
 *
 * <p>Android has org.json, a plain JVM has not; this one runs on both.
 */
public final class Json {
    private static final int DEEPEST = 100;
    private final String text;
    private int position;
    private int depth;

    private Json(String text) {
        this.text = text;
    }

    /**
     * Reads one JSON value.
     *
     * @throws TinyBertException if the text is no JSON; the message says where
     */
    public static Object parse(String text) {
        Json json = new Json(text);
        Object value = json.value();
        json.skipSpace();
        if (json.position < text.length()) {
            throw json.error("the end");
        }
        return value;
    }

    private Object value() {
        skipSpace();
        switch (peek()) {
            case '{':
                return object();
            case '[':
                return array();
            case '"':
                return string();
            case 't':
                return word("true", Boolean.TRUE);
            case 'f':
                return word("false", Boolean.FALSE);
            case 'n':
                return word("null", null);
            default:
                return number();
        }
    }

    private Map<String, Object> object() {
        Map<String, Object> found = new LinkedHashMap<>();
        enter();
        if (!leaves('}')) {
            do {
                skipSpace();
                String name = string();
                skipSpace();
                take(':');
                found.put(name, value());
            } while (continues('}'));
        }
        return found;
    }

    private List<Object> array() {
        List<Object> found = new ArrayList<>();
        enter();
        if (!leaves(']')) {
            do {
                found.add(value());
            } while (continues(']'));
        }
        return found;
    }

    private void enter() {
        if (++depth > DEEPEST) {
            throw error("at most " + DEEPEST + " levels");
        }
        position++;
    }

    /** Whether an object or array ends here, before its first entry. */
    private boolean leaves(char end) {
        skipSpace();
        if (peek() != end) {
            return false;
        }
        position++;
        depth--;
        return true;
    }

    /** Whether another entry follows. */
    private boolean continues(char end) {
        if (leaves(end)) {
            return false;
        }
        take(',');
        return true;
    }

    private String string() {
        take('"');
        StringBuilder found = new StringBuilder();
        while (true) {
            char next = peek();
            if (next < ' ') {
                throw error("the end of a string");
            }
            position++;
            if (next == '"') {
                return found.toString();
            }
            found.append(next == '\\' ? escaped() : next);
        }
    }

    private char escaped() {
        char next = peek();
        position++;
        switch (next) {
            case 'b':
                return '\b';
            case 'f':
                return '\f';
            case 'n':
                return '\n';
            case 'r':
                return '\r';
            case 't':
                return '\t';
            case 'u':
                return unit();
            case '"':
            case '\\':
            case '/':
                return next;
            default:
                position--;
                throw error("an escape");
        }
    }

    /** Four hexadecimal digits: one UTF-16 unit, so that pairs join by themselves. */
    private char unit() {
        int value = 0;
        for (int end = position + 4; position < end; position++) {
            int digit = Character.digit(peek(), 16);
            if (digit < 0) {
                throw error("a hexadecimal digit");
            }
            value = 16 * value + digit;
        }
        return (char) value;
    }

    private Double number() {
        int start = position;
        while (position < text.length() && "+-.0123456789eE".indexOf(text.charAt(position)) >= 0) {
            position++;
        }
        try {
            return Double.valueOf(text.substring(start, position));
        } catch (NumberFormatException exception) {
            position = start;
            throw error("a value");
        }
    }

    private Object word(String word, Object value) {
        if (!text.startsWith(word, position)) {
            throw error("a value");
        }
        position += word.length();
        return value;
    }

    private void take(char expected) {
        if (peek() != expected) {
            throw error("'" + expected + "'");
        }
        position++;
    }

    private void skipSpace() {
        while (position < text.length() && " \t\r\n".indexOf(text.charAt(position)) >= 0) {
            position++;
        }
    }

    /** The next character; 0, which no JSON holds, at the end. */
    private char peek() {
        return position < text.length() ? text.charAt(position) : 0;
    }

    private TinyBertException error(String expected) {
        boolean ended = position >= text.length();
        String found = ended ? "the end of the text" : "'" + text.charAt(position) + "'";
        return new TinyBertException(
                "Expected " + expected + " in JSON. Received: " + found + " at character "
                        + position);
    }
}
