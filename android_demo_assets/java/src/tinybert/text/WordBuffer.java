package tinybert.text;

import java.util.Arrays;

/** Takes a text character by character, normalises it, and collects the ids of its words. */
final class WordBuffer {
    private final WordPieceTokenizer tokenizer;
    /** The code points of the word so far; those beyond its capacity are only counted. */
    private final int[] word;
    private int length;
    /** Marks from here on are still sorted by their combining class. */
    private int marksStart;
    private int[] ids = new int[32];
    private int numIds;

    WordBuffer(WordPieceTokenizer tokenizer) {
        this.tokenizer = tokenizer;
        word = new int[tokenizer.maxCharacters];
    }

    /** The number of ids of the words that have ended. */
    int numIds() {
        return numIds;
    }

    /** Ends the last word; returns at most so many ids. */
    int[] ids(int limit) {
        endWord();
        return Arrays.copyOf(ids, Math.min(limit, numIds));
    }

    /** Adds a special token. */
    void add(String special) {
        endWord();
        addId(tokenizer.idOf(special));
    }

    /** Adds a code point of the text as it was written. */
    void add(int codePoint) {
        int kind = CodePoints.kind(codePoint);
        boolean surrogate = codePoint >= 0xD800 && codePoint < 0xE000;
        if (kind == CodePoints.REMOVED || surrogate) {
            return;
        }
        boolean alone = kind == CodePoints.CHINESE && tokenizer.splitChinese;
        if (alone || kind == CodePoints.SPACE) {
            endWord();
        }
        if (kind != CodePoints.SPACE) {
            addNormalised(codePoint);
        }
        if (alone) {
            endWord();
        }
    }

    private void addNormalised(int codePoint) {
        if (!tokenizer.stripAccents) {
            addLowered(codePoint);
            return;
        }
        int[] decomposed = CodePoints.decomposed(codePoint);
        if (decomposed == null) {
            addStripped(codePoint);
            return;
        }
        for (int part : decomposed) {
            addStripped(part);
        }
    }

    /** Adds a code point of decomposed text, without accents and with marks in their order. */
    private void addStripped(int codePoint) {
        int kind = CodePoints.kind(codePoint);
        if (kind == CodePoints.ACCENT) {
            return;
        }
        int combiningClass =
                kind == CodePoints.STARTER_ACCENT ? 0 : CodePoints.combiningClass(codePoint);
        if (combiningClass != 0) {
            insertMark(codePoint, combiningClass);
            return;
        }
        if (kind != CodePoints.STARTER_ACCENT) {
            addLowered(codePoint);
        }
        marksStart = length;
    }

    /** Puts a mark before those of a higher class that follow the same character. */
    private void insertMark(int mark, int combiningClass) {
        addLowered(mark);
        int place = length - 1;
        if (place >= word.length) {
            return; // the word is too long for the vocabulary whatever its order
        }
        while (place > marksStart
                && CodePoints.combiningClass(word[place - 1]) > combiningClass) {
            word[place] = word[place - 1];
            place--;
        }
        word[place] = mark;
    }

    private void addLowered(int codePoint) {
        int[] lowered = tokenizer.lowercase ? CodePoints.lowered(codePoint) : null;
        if (lowered == null) {
            addToWord(codePoint);
            return;
        }
        for (int part : lowered) {
            addToWord(part);
        }
    }

    private void addToWord(int codePoint) {
        boolean alone = CodePoints.kind(codePoint) == CodePoints.PUNCTUATION;
        if (alone) {
            endWord();
        }
        if (length < word.length) {
            word[length] = codePoint;
        }
        length++;
        if (alone) {
            endWord();
        }
    }

    // === Words to ids ===

    private void endWord() {
        if (length > word.length) {
            addId(tokenizer.unknownId);
        } else if (length > 0) {
            addPieces(new String(word, 0, length));
        }
        length = 0;
        marksStart = 0;
    }

    /** Adds the longest piece again and again, or [UNK] where none fits. */
    private void addPieces(String text) {
        int before = numIds;
        int start = 0;
        while (start < text.length()) {
            int end = Math.min(text.length(), start + tokenizer.longestToken);
            Integer id = null;
            while (end > start && (id = idOf(text, start, end)) == null) {
                end--;
            }
            if (id == null) {
                numIds = before;
                addId(tokenizer.unknownId);
                return;
            }
            addId(id);
            start = end;
        }
    }

    private Integer idOf(String text, int start, int end) {
        String piece = text.substring(start, end);
        return start == 0 ? tokenizer.idOf(piece) : tokenizer.idOfContinuation(piece);
    }

    private void addId(int id) {
        if (numIds == ids.length) {
            ids = Arrays.copyOf(ids, 2 * numIds);
        }
        ids[numIds++] = id;
    }
}
