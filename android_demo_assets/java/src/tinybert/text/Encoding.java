package tinybert.text;

import java.util.Arrays;

/** A text, or a pair of texts, as token ids with [CLS] and [SEP], not padded. */
public final class Encoding {
    private final int[] ids;
    private final int[] segmentIds;

    Encoding(int[] ids, int[] segmentIds) {
        this.ids = ids;
        this.segmentIds = segmentIds;
    }

    /** The number of tokens. */
    public int length() {
        return ids.length;
    }

    public int[] ids() {
        return ids.clone();
    }

    /** 0 up to the first [SEP], 1 after. */
    public int[] segmentIds() {
        return segmentIds.clone();
    }

    /** The ids and as many of [PAD] as the length asks for. */
    int[] paddedIds(int length, int padId) {
        int[] padded = Arrays.copyOf(ids, length);
        Arrays.fill(padded, ids.length, length, padId);
        return padded;
    }

    /** 1 for tokens, 0 for padding. */
    int[] mask(int length) {
        int[] mask = new int[length];
        Arrays.fill(mask, 0, ids.length, 1);
        return mask;
    }

    int[] paddedSegmentIds(int length) {
        return Arrays.copyOf(segmentIds, length);
    }
}
