package tinybert.text;

/** A bundle, a text or a model that cannot be used; the message says what was expected. */
public final class TinyBertException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public TinyBertException(String message) {
        super(message);
    }

    public TinyBertException(String message, Throwable cause) {
        super(message, cause);
    }
}
