package tinybert.text;

import android.content.res.AssetManager;
import java.io.IOException;
import java.io.InputStream;

/** A bundle in a folder of an app's assets. Our tests, which lack Android, use a folder. */
public final class AndroidAssets implements AssetSource {
    private final AssetManager assets;
    private final String folder;

    /**
     * @param assets from Context.getAssets()
     * @param folder the bundle's folder below app/src/main/assets, such as "intents"; "" for
     *     that folder itself
     */
    public AndroidAssets(AssetManager assets, String folder) {
        this.assets = assets;
        this.folder = folder;
    }

    @Override
    public InputStream open(String name) throws IOException {
        return assets.open(path(folder, name));
    }

    static String path(String folder, String name) {
        return folder.isEmpty() ? name : folder + "/" + name;
    }
}
