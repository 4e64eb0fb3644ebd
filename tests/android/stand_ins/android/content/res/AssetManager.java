package android.content.res;

import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;

/** Android's signatures that the client calls; the assets are a folder. */
public final class AssetManager {
    private final File root;

    public AssetManager(String root) {
        this.root = new File(root);
    }

    public InputStream open(String name) throws IOException {
        return new FileInputStream(new File(root, name));
    }

    public AssetFileDescriptor openFd(String name) throws IOException {
        return new AssetFileDescriptor(new File(root, name));
    }
}
