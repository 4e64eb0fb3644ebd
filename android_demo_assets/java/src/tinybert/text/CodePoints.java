package tinybert.text;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * What each code point is to BERT's rules, read from {@link UnicodeTables}.
 *
 * <p>Not from {@link Character} and java.text.Normalizer: what these say depends on the Unicode
 * version of the device (6.3 on Android 5, 13 in Java 17), and Hugging Face's tokenizers mix yet
 * others. With Java 17's own tables 463 code points, 368 of them assigned, would be treated unlike
 * in training (marks that are not stripped, letters without a lowercase, punctuation). So the
 * tables were taken from tokenizers itself; the ids are the same on every device.
 */
final class CodePoints {
    static final int ORDINARY = 0;
    static final int SPACE = 1;
    static final int PUNCTUATION = 2;
    static final int REMOVED = 3;
    /** A mark that accent stripping drops. */
    static final int ACCENT = 4;
    /** One that also keeps the marks on its two sides from being sorted. */
    static final int STARTER_ACCENT = 5;
    static final int CHINESE = 6;

    private static final Ranges KINDS = new Ranges(UnicodeTables.KINDS);
    private static final Ranges COMBINING_CLASSES = new Ranges(UnicodeTables.COMBINING_CLASSES);
    private static final Mapping DECOMPOSITIONS = new Mapping(UnicodeTables.DECOMPOSITIONS);
    private static final Mapping LOWERCASE = new Mapping(UnicodeTables.LOWERCASE);

    private CodePoints() {}

    static int kind(int codePoint) {
        return KINDS.valueOf(codePoint);
    }

    /** The class by which marks are sorted (Unicode's ccc); 0 for what is no mark. */
    static int combiningClass(int codePoint) {
        return COMBINING_CLASSES.valueOf(codePoint);
    }

    /** The canonical decomposition, or null if it is the code point itself. */
    static int[] decomposed(int codePoint) {
        int syllable = codePoint - 0xAC00;
        if (syllable < 0 || syllable >= 11172) {
            return DECOMPOSITIONS.valueOf(codePoint);
        }
        int first = 0x1100 + syllable / 588;
        int second = 0x1161 + syllable % 588 / 28;
        int third = syllable % 28;
        return third == 0 ? new int[] {first, second} : new int[] {first, second, 0x11A7 + third};
    }

    /** The lowercase of one code point, without regard to its neighbours; null if it is itself. */
    static int[] lowered(int codePoint) {
        return LOWERCASE.valueOf(codePoint);
    }

    /** Runs of code points with the same value; 0 outside of them. */
    private static final class Ranges {
        private final int[] starts;
        private final int[] ends;
        private final int[] values;

        Ranges(String table) {
            Numbers numbers = new Numbers(table);
            List<int[]> rows = new ArrayList<>();
            int end = 0;
            while (numbers.hasNext()) {
                int start = end + numbers.next();
                end = start + numbers.next();
                rows.add(new int[] {start, end, numbers.next()});
            }
            starts = column(rows, 0);
            ends = column(rows, 1);
            values = column(rows, 2);
        }

        int valueOf(int codePoint) {
            int found = Arrays.binarySearch(starts, codePoint);
            int index = found >= 0 ? found : -found - 2;
            return index >= 0 && codePoint < ends[index] ? values[index] : 0;
        }
    }

    /** Code points that become others. */
    private static final class Mapping {
        private final int[] keys;
        private final int[][] values;

        Mapping(String table) {
            Numbers numbers = new Numbers(table);
            List<int[]> keyRows = new ArrayList<>();
            List<int[]> valueRows = new ArrayList<>();
            int key = 0;
            int difference = 0;
            while (numbers.hasNext()) {
                key += numbers.next();
                int[] value = new int[numbers.next()];
                difference += numbers.nextSigned();
                value[0] = key + difference;
                for (int i = 1; i < value.length; i++) {
                    value[i] = 0x300 + numbers.nextSigned();
                }
                keyRows.add(new int[] {key});
                valueRows.add(value);
            }
            keys = column(keyRows, 0);
            values = valueRows.toArray(new int[0][]);
        }

        int[] valueOf(int codePoint) {
            int index = Arrays.binarySearch(keys, codePoint);
            return index >= 0 ? values[index] : null;
        }
    }

    private static int[] column(List<int[]> rows, int index) {
        int[] column = new int[rows.size()];
        for (int i = 0; i < column.length; i++) {
            column[i] = rows.get(i)[index];
        }
        return column;
    }

    /** Numbers in base 64, five bits a character, the sixth set where more follow. */
    private static final class Numbers {
        private static final String DIGITS =
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        private final String text;
        private int position;

        Numbers(String text) {
            this.text = text;
        }

        boolean hasNext() {
            return position < text.length();
        }

        int next() {
            int value = 0;
            int shift = 0;
            int digit;
            do {
                digit = DIGITS.indexOf(text.charAt(position++));
                value |= (digit & 31) << shift;
                shift += 5;
            } while (digit >= 32);
            return value;
        }

        int nextSigned() {
            int value = next();
            return (value & 1) == 0 ? value >> 1 : -(value + 1 >> 1);
        }
    }
}
