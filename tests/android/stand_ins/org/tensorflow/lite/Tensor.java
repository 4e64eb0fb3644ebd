package org.tensorflow.lite;

/** As in LiteRT 1.x, as far as LiteRtRunner calls it. */
public interface Tensor {
    int[] shape();
}
