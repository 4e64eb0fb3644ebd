package org.tensorflow.lite;

/** As in LiteRT 1.x. */
public interface Delegate {}
