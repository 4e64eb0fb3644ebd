package tinybert.text;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * BERT's tokenizer: the same ids as Hugging Face's BertTokenizer for the same vocabulary.
 *
 * <p>Text is cleaned (control characters out, white space to spaces), Chinese characters are
 * split, text is lowercased and stripped of accents if asked, cut at white space and punctuation,
 * and each word is replaced by its greedy longest pieces, or by [UNK] as a whole. The special
 * tokens written in a text, such as "[SEP]", become the special token, as they do there. Lone
 * surrogates are removed.
 *
 * <p>Immutable: threads may share one. Time and memory grow linearly with the text; of a single
 * text only as much is read as the wanted length needs.
 */
public final class WordPieceTokenizer {
    /** How text is split; the fields' names are those of the manifest. */
    public static final class Settings {
        public boolean lowercase = true;
        public boolean stripAccents = true;
        public boolean splitChinese = true;
        public int maxCharactersPerWord = 100;
        public String unknown = "[UNK]";
        public String classify = "[CLS]";
        public String separate = "[SEP]";
        public String pad = "[PAD]";
        /** Recognised in texts when the vocabulary holds it. */
        public String mask = "[MASK]";
    }

    final boolean lowercase;
    final boolean stripAccents;
    final boolean splitChinese;
    final int maxCharacters;
    final int unknownId;
    final int padId;
    /** Special tokens, longest first: where two fit, the longer one counts. */
    final List<String> specials = new ArrayList<>();
    /** In UTF-16 units: longer substrings of a word need no look-up. */
    final int longestToken;

    private final Map<String, Integer> ids;
    /** Tokens that start with ##, without it. */
    private final Map<String, Integer> continuations = new HashMap<>();
    private final int classifyId;
    private final int separateId;

    /**
     * @param vocabulary the tokens in the order of their ids
     * @throws TinyBertException if a token repeats or a special token is absent
     */
    public WordPieceTokenizer(List<String> vocabulary, Settings settings) {
        lowercase = settings.lowercase;
        stripAccents = settings.stripAccents;
        splitChinese = settings.splitChinese;
        maxCharacters = settings.maxCharactersPerWord;
        ids = new HashMap<>(2 * vocabulary.size());
        int longest = 0;
        for (int id = 0; id < vocabulary.size(); id++) {
            String token = vocabulary.get(id);
            Integer earlier = ids.put(token, id);
            if (earlier != null) {
                throw new TinyBertException(
                        "Expected a vocabulary of distinct tokens. Received: \"" + token
                                + "\" in lines " + (earlier + 1) + " and " + (id + 1));
            }
            if (token.startsWith("##")) {
                continuations.put(token.substring(2), id);
            }
            longest = Math.max(longest, token.length());
        }
        longestToken = longest;
        unknownId = specialId(settings.unknown);
        classifyId = specialId(settings.classify);
        separateId = specialId(settings.separate);
        padId = specialId(settings.pad);
        if (ids.containsKey(settings.mask)) {
            specialId(settings.mask);
        }
    }

    private int specialId(String token) {
        Integer id = ids.get(token);
        if (id == null) {
            throw new TinyBertException(
                    "Expected a vocabulary with the token " + token + ". Received: " + ids.size()
                            + " tokens without it");
        }
        int place = 0;
        while (place < specials.size() && specials.get(place).length() >= token.length()) {
            place++;
        }
        specials.add(place, token);
        return id;
    }

    // === Text to ids ===

    /**
     * Encodes one text as [CLS] text [SEP].
     *
     * @param maxLength the number of tokens to cut to, at least 3
     */
    public Encoding encode(String text, int maxLength) {
        checkLength(maxLength, 3);
        int[] pieces = pieces(text, maxLength - 2);
        int[] row = new int[pieces.length + 2];
        row[0] = classifyId;
        System.arraycopy(pieces, 0, row, 1, pieces.length);
        row[row.length - 1] = separateId;
        return new Encoding(row, new int[row.length]);
    }

    /**
     * Encodes a pair as [CLS] text [SEP] pair [SEP], cut at the end of the longer text first.
     *
     * @param maxLength the number of tokens to cut to, at least 5
     */
    public Encoding encode(String text, String pair, int maxLength) {
        checkLength(maxLength, 5);
        int[] first = pieces(text);
        int[] second = pieces(pair);
        int kept = keptOfFirst(first.length, second.length, maxLength - 3);
        first = Arrays.copyOf(first, kept);
        second = Arrays.copyOf(second, Math.min(second.length, maxLength - 3 - kept));
        int[] row = new int[first.length + second.length + 3];
        int[] segments = new int[row.length];
        row[0] = classifyId;
        System.arraycopy(first, 0, row, 1, first.length);
        row[first.length + 1] = separateId;
        System.arraycopy(second, 0, row, first.length + 2, second.length);
        row[row.length - 1] = separateId;
        Arrays.fill(segments, first.length + 2, row.length, 1);
        return new Encoding(row, segments);
    }

    /** The ids of a text, whole and without [CLS] and [SEP]. */
    public int[] pieces(String text) {
        return pieces(text, Integer.MAX_VALUE);
    }

    /** The first ids of a text. */
    private int[] pieces(String text, int limit) {
        WordBuffer words = new WordBuffer(this);
        int position = 0;
        while (position < text.length() && words.numIds() < limit) {
            String special = specialAt(text, position);
            if (special != null) {
                words.add(special);
                position += special.length();
            } else {
                int codePoint = text.codePointAt(position);
                words.add(codePoint);
                position += Character.charCount(codePoint);
            }
        }
        return words.ids(limit);
    }

    private String specialAt(String text, int position) {
        for (String special : specials) {
            if (text.startsWith(special, position)) {
                return special;
            }
        }
        return null;
    }

    /** How many pieces of the first text stay when both are cut to a number in all. */
    private static int keptOfFirst(int first, int second, int budget) {
        if (first + second <= budget) {
            return first;
        }
        int shorter = Math.min(first, second);
        int longer = budget - shorter;
        if (longer < shorter) { // cut both; the one that was longer keeps the odd piece
            shorter = budget / 2;
            longer = budget - shorter;
        }
        return first > second ? longer : shorter;
    }

    private static void checkLength(int maxLength, int least) {
        if (maxLength < least) {
            throw new TinyBertException(
                    "Expected room for the special tokens and one token of each text: a length of "
                            + "at least " + least + ". Received: maxLength=" + maxLength);
        }
    }

    // === Vocabulary ===

    public int vocabularySize() {
        return ids.size();
    }

    /** The id of a token, or null. */
    Integer idOf(String token) {
        return ids.get(token);
    }

    /** The id of "##" + rest, or null. */
    Integer idOfContinuation(String rest) {
        return continuations.get(rest);
    }
}
