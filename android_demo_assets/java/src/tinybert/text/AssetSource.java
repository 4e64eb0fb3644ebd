package tinybert.text;

import java.io.IOException;
import java.io.InputStream;

/** Where the files of a bundle are: an app's assets, a folder, a download. */
public interface AssetSource {
    /**
     * Opens a file of the bundle; the caller closes it.
     *
     * @param name such as "vocab.txt"
     * @throws IOException if there is no such file
     */
    InputStream open(String name) throws IOException;
}
